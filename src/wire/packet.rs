//! IP, TCP, UDP and ICMP headers.
