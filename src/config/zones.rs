//! UCI text of `/etc/config/firewall` -> its zones with their networks and devices.
//!
//! Takes the text and netifd's networks, gives names of interfaces. Opens no file.

use super::uci::{self, Section};

/// A zone of the firewall's configuration.
#[derive(Clone, PartialEq, Eq, Debug)]
pub struct Zone {
    pub name: String,
    /// netifd's names, such as `wan6`.
    pub networks: Vec<String>,
    /// Names of interfaces; `ppp+` matches all that begin with `ppp`.
    pub devices: Vec<String>,
}

/// A network of netifd.
#[derive(Clone, PartialEq, Eq, Debug)]
pub struct Interface {
    pub name: String,
    /// Its interface, such as `pppoe-wan`.
    pub device: Option<String>,
    /// The zone of a network that a protocol such as 6rd or DS-Lite created.
    pub zone: Option<String>,
}

/// Interfaces of a zone; further ones are ignored.
pub const MAX_DEVICES: usize = 64;

/// The sections of type `zone` with the networks and devices of each.
pub fn parse(text: &str) -> Vec<Zone> {
    let (sections, _) = uci::parse(text);
    let zones = sections.iter().filter(|section| section.kind == "zone");
    let texts = |section: &Section, name| section.words(name).into_iter().map(str::to_string).collect();
    let zone = |section: &Section| {
        let name = section.words("name").pop()?.to_string();
        Some(Zone { name, networks: texts(section, "network"), devices: texts(section, "device") })
    };
    zones.filter_map(zone).collect()
}

/// The interfaces of the zones with these names, each once; none if nothing is known.
pub fn devices(zones: &[Zone], names: &[String], interfaces: &[Interface]) -> Vec<String> {
    let mut devices: Vec<String> = Vec::new();
    let mut add = |device: &String| {
        // `!lan` excludes an interface from a wildcard, and is not a name.
        if !device.starts_with('!') && !devices.contains(device) && devices.len() < MAX_DEVICES {
            devices.push(device.clone());
        }
    };
    for name in names {
        let zone = zones.iter().find(|zone| zone.name == *name);
        zone.into_iter().flat_map(|zone| &zone.devices).for_each(&mut add);
        for interface in interfaces {
            let member = zone.is_some_and(|zone| zone.networks.contains(&interface.name));
            if member || interface.zone.as_ref() == Some(name) {
                interface.device.iter().for_each(&mut add);
            }
        }
    }
    devices
}

/// The interfaces of all zones, each with its zone.
pub fn by_device(zones: &[Zone], interfaces: &[Interface]) -> Vec<(String, String)> {
    let mut devices_of = Vec::new();
    for Zone { name, .. } in zones {
        let devices = devices(zones, std::slice::from_ref(name), interfaces);
        devices_of.extend(devices.into_iter().map(|device| (device, name.clone())));
    }
    devices_of
}

#[cfg(test)]
mod tests {
    use super::*;

    fn interface(name: &str, device: &str, zone: Option<&str>) -> Interface {
        let device = (!device.is_empty()).then(|| device.to_string());
        Interface { name: name.into(), device, zone: zone.map(str::to_string) }
    }

    #[test]
    fn a_zones_interfaces_are_its_networks_devices() {
        let text = "config zone\n\toption name 'lan'\n\tlist network 'lan'\nconfig zone\n\toption name 'wan'\n\
                    \tlist network 'wan'\n\tlist network 'wan6'\n\tlist device 'wg0'\nconfig zone\n\toption name 'dmz'\n\
                    \toption network 'dmz guest'\n";
        let zones = parse(text);
        let interfaces = [
            interface("lan", "br-lan", None),
            interface("wan", "pppoe-wan", None),
            interface("wan6", "pppoe-wan", None),
            interface("wan_4", "ds-wan_4", Some("wan")),
            interface("guest", "", None),
            interface("dmz", "eth2", None),
        ];
        let of = |name: &str| devices(&zones, &[name.to_string()], &interfaces);
        assert_eq!(of("wan"), ["wg0", "pppoe-wan", "ds-wan_4"]);
        assert_eq!(of("dmz"), ["eth2"]);
        let all = by_device(&zones, &interfaces);
        let all: Vec<_> = all.iter().map(|(device, zone)| format!("{device} {zone}")).collect();
        assert_eq!(all, ["br-lan lan", "wg0 wan", "pppoe-wan wan", "ds-wan_4 wan", "eth2 dmz"]);
        assert!(of("none").is_empty() && devices(&[], &["wan".into()], &[]).is_empty());
    }
}
