//! Recognises logs of other firewalls, which are not read, so that `report` can say why nothing is counted.

/// Systems with the texts of their lines: all of one of the groups.
const SYSTEMS: [(&str, &[&[&str]]); 15] = [
    ("MikroTik RouterOS", &[&[" in:", " out:", ", len ", "->"]]),
    ("pfSense or OPNsense (filterlog)", &[&["filterlog"]]),
    ("ipchains (Linux 2.2)", &[&["Packet log: ", " PROTO="]]),
    ("Common Event Format (CEF)", &[&["CEF:0|"], &["CEF:1|"]]),
    ("Log Event Extended Format (LEEF)", &[&["LEEF:1.0|"], &["LEEF:2.0|"]]),
    ("a firewall of Cisco", &[&["%ASA-"], &["%FTD-"], &["%SEC-6-IPACCESSLOG"]]),
    ("Fortinet FortiGate", &[&["devname=", "logid="], &["type=\"traffic\"", "srcip="]]),
    ("Sophos UTM", &[&["sub=\"packetfilter\"", "srcip="]]),
    ("SonicWall", &[&["id=firewall ", " sn="]]),
    ("Palo Alto Networks PAN-OS", &[&[",TRAFFIC,"], &[",THREAT,"]]),
    ("Juniper Junos", &[&["RT_FLOW_SESSION"]]),
    ("Microsoft Windows Firewall", &[&["Software: Microsoft Windows Firewall"]]),
    ("Suricata (eve.json)", &[&["\"event_type\":", "\"src_ip\":"]]),
    ("a web server", &[&["\" ", " HTTP/1"], &["\" ", " HTTP/2"]]),
    ("fail2ban", &[&["NOTICE  [", "] Ban "]]),
];

/// What a line looks like that is none of netfilter; none: nothing known.
pub fn system(line: &[u8]) -> Option<&'static str> {
    if line.starts_with(b"#separator ") {
        return Some("Zeek");
    }
    let has = |text: &&str| memchr::memmem::find(line, text.as_bytes()).is_some();
    let known = SYSTEMS.iter().find(|(_, groups)| groups.iter().any(|group| group.iter().all(has)));
    known.map(|(name, _)| *name)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn lines_of_other_systems() {
        for (line, expected) in [
            (
                "Nov 21 08:00:00 gw firewall,info input: in:ether1 out:(unknown 0), connection-state:new proto TCP (SYN), \
                 203.0.113.7:4000->192.0.2.10:23, len 40",
                Some("MikroTik RouterOS"),
            ),
            (
                "Nov 21 08:00:00 pf filterlog[1]: 5,,,1000000103,em0,match,block,in,4,0x0,,64,1,0,none,6,tcp,60,203.0.113.7",
                Some("pfSense or OPNsense (filterlog)"),
            ),
            (
                "Nov 21 08:00:00 fw CEF:0|Vendor|Product|1|x|y|5|src=203.0.113.7",
                Some("Common Event Format (CEF)"),
            ),
            (
                "2026:11:21-08:00:00 utm ulogd[4711]: id=\"2001\" severity=\"info\" sub=\"packetfilter\" action=\"drop\" \
                 srcip=\"203.0.113.7\"",
                Some("Sophos UTM"),
            ),
            (
                "<134>id=firewall sn=0006B1 time=\"2026-11-21 08:00:00\" src=203.0.113.7:4000:X1",
                Some("SonicWall"),
            ),
            (
                "Nov 21 08:00:00 pa 1,2026/11/21 08:00:00,001,TRAFFIC,drop,1,2026/11/21 08:00:00,203.0.113.7",
                Some("Palo Alto Networks PAN-OS"),
            ),
            (
                "Nov 21 08:00:00 gw kernel: Packet log: input DENY eth0 PROTO=6 203.0.113.7:4000 192.0.2.10:23 L=60 S=0x00 \
                 I=1 F=0x4000 T=50 SYN (#8)",
                Some("ipchains (Linux 2.2)"),
            ),
            ("%ASA-4-106023: Deny tcp src outside:203.0.113.7/4000", Some("a firewall of Cisco")),
            ("203.0.113.7 - - [21/Nov/2026:08:00:00 +0100] \"GET / HTTP/1.1\" 200 1", Some("a web server")),
            ("Nov 21 08:00:00 host kernel: device eth0 entered promiscuous mode", None),
            ("", None),
        ] {
            assert_eq!(system(line.as_bytes()), expected, "{line}");
        }
    }
}
