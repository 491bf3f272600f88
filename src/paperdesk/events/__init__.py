"""What happens on accounts, told after COMMIT to whoever follows them."""
