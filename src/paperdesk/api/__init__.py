"""The HTTP kernel: exact JSON, problem answers, paging, the session of a request, the gate."""
