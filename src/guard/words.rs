//! Reasons and evidence of blocks as text. Takes suspects, gives phrases. Pure.

use super::detector::{Rule, Suspect};
use crate::event::calendar::duration_text as duration;

/// The reason of a block by hand without a given reason.
pub const HAND: &str = "manual request";

/// The evidence in a few words, such as `200 attempts within 1m`.
pub fn described(suspect: &Suspect) -> String {
    let Suspect { rule, count, window_ms, .. } = suspect;
    let within = duration(window_ms / 1000);
    let what = match rule {
        Rule::Flood => format!("a flood, {count} attempts within {within}"),
        Rule::Scan => format!("a scan, {count} different services within {within}"),
        Rule::Login => format!("{count} failed logins within {within}"),
        Rule::Hand => HAND.to_string(),
        Rule::Found => "it was blocked before".to_string(),
    };
    let services: Vec<String> = suspect.services.iter().map(service_text).collect();
    if services.is_empty() { what } else { format!("{what} ({})", services.join(", ")) }
}

/// As `tcp 22`; without a port only the protocol.
pub fn service_text(service: crate::event::Service) -> String {
    let protocol = crate::event::services::protocol_name(service.protocol);
    // Port 0 can also be that of a packet that was truncated before its ports.
    if crate::event::Service::has_ports(service.protocol) && service.port != 0 {
        format!("{protocol} {}", service.port)
    } else {
        protocol.into_owned()
    }
}

#[cfg(test)]
mod tests {
    use super::service_text;
    use crate::event::{Service, protocol};

    #[test]
    fn a_port_that_may_not_have_been_there_is_not_told() {
        let text = |protocol, port| service_text(Service { protocol, port });
        assert_eq!(text(protocol::UDP, 0), "udp");
        assert_eq!(text(protocol::UDP, 53), "udp 53");
        assert_eq!(text(protocol::ICMP, 0), "icmp");
    }
}
