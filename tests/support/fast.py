"""Parameters that make an instance try again within a second or two, for tests that break things."""
FAST = {"service_throttle_time": "1s", "transport_retry_time": "1s", "minimal_backoff_time": "1s",
        "maximal_backoff_time": "2s", "queue_run_delay": "1s", "in_flow_delay": "0",
        "smtpd_client_connection_count_limit": "0", "smtpd_peername_lookup": "no"}
