//! A netifd that tells the networks it is given: the object `network.interface` with `dump`, and its events.

use std::path::Path;
use std::sync::{Arc, Mutex};
use std::thread::JoinHandle;

use fwstat::ubus::blob;
use serde_json::{Value, json};
use ubus::envelope::UbusAttr;
use ubus::wire::MsgType;

use super::wire::{Wire, number, text};

/// The broker's own object, which spreads events.
const EVENT_OBJECT: u32 = 1;

/// Gone when dropped.
pub struct Netifd {
    wire: Wire,
    networks: Arc<Mutex<Value>>,
    thread: Option<JoinHandle<()>>,
}

impl Netifd {
    /// `networks`: names with their devices.
    pub fn start(socket: &Path, networks: &[(&str, &str)]) -> Netifd {
        let mut wire = Wire::connect(socket).unwrap();
        let networks = Arc::new(Mutex::new(dump(networks)));
        let object = wire.add_object(Some("network.interface")).unwrap();
        let mut reader = wire.try_clone().unwrap();
        let shared = Arc::clone(&networks);
        let thread = std::thread::spawn(move || serve(&mut reader, object, &shared));
        Netifd { wire, networks, thread: Some(thread) }
    }

    /// An interface came up with another device.
    pub fn change(&mut self, networks: &[(&str, &str)]) {
        *self.networks.lock().unwrap() = dump(networks);
        let event =
            json!({"id": "network.interface", "data": {"action": "ifup", "interface": networks[0].0}});
        self.wire.invoke(EVENT_OBJECT, "send", blob::table(&event).contents()).unwrap();
    }
}

impl Drop for Netifd {
    fn drop(&mut self) {
        self.wire.shutdown();
        let _ = self.thread.take().unwrap().join();
    }
}

fn dump(networks: &[(&str, &str)]) -> Value {
    let row = |(name, device): &(&str, &str)| {
        // What is down has no device.
        let device = (!device.is_empty()).then_some(device);
        json!({"interface": name, "up": device.is_some(), "l3_device": device, "data": {}})
    };
    json!({"interface": networks.iter().map(row).collect::<Vec<_>>()})
}

/// Answers calls until the connection ends.
fn serve(wire: &mut Wire, object: u32, networks: &Mutex<Value>) {
    while let Ok(frame) = wire.receive() {
        if frame.hdr.ty != MsgType::Invoke {
            continue;
        }
        assert_eq!(
            (text(&frame, UbusAttr::Method).as_str(), number(&frame, UbusAttr::ObjId)),
            ("dump", object)
        );
        let table = blob::table(&*networks.lock().unwrap());
        wire.answer(&frame, object, table.contents());
    }
}
