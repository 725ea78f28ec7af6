"""What a process tells `churn.telemetry` of itself: counted, summed up within each hour, published on the side."""
