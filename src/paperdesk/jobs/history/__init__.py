"""The kind `import_trades`: what happened elsewhere, from a broker's file into the books."""
