//! What waits for the wall clock, as bytes: moments of the boot clock and what came then. It is kept in the copy in
//! RAM only: after a reboot nobody knows what day its moments were.

use crate::event::{Address, Class, Event, PathId, Verdict};

use super::codec::{Malformed, Reader, Writer};
use super::format::Payload;

const VERSION: u64 = 1;

/// Least bytes of a row.
const LEAST: usize = 7;

#[derive(Clone, PartialEq, Eq, Debug, Default)]
pub struct Aside {
    /// With milliseconds since boot; of the events only what the statistics tell apart.
    pub events: Vec<(u64, Event)>,
    /// How many by class, of those that only have one.
    pub rest: Vec<(u64, [u64; Class::COUNT])>,
}

impl Aside {
    pub fn is_empty(&self) -> bool {
        self.events.is_empty() && self.rest.is_empty()
    }

    pub fn count(&self) -> u64 {
        let events = self.events.iter().map(|(_, event)| u64::from(event.count));
        let rest = self.rest.iter().flat_map(|(_, counts)| counts.iter().copied());
        events.chain(rest).fold(0, u64::saturating_add)
    }

    pub fn encode(&self) -> Payload {
        let mut writer = Writer::plain();
        writer.number(VERSION);
        writer.number(self.events.len() as u64);
        for (boot_ms, event) in &self.events {
            writer.number(*boot_ms);
            writer.wide(u128::from(event.source.high) << 64 | u128::from(event.source.low));
            writer.u8(event.protocol);
            writer.number(event.port.into());
            writer.u8(event.class as u8);
            writer.u8(event.verdict as u8);
            writer.number(event.count.into());
        }
        writer.number(self.rest.len() as u64);
        for (boot_ms, counts) in &self.rest {
            writer.number(*boot_ms);
            counts.iter().for_each(|count| writer.number(*count));
        }
        writer.finish()
    }

    pub fn decode(bytes: &[u8]) -> Result<Aside, Malformed> {
        let mut reader = Reader::plain(bytes);
        if reader.number()? != VERSION {
            return Err(Malformed("another version's events that wait"));
        }
        let mut aside = Aside::default();
        for _ in 0..reader.rows(LEAST)? {
            aside.events.push((reader.number()?, event(&mut reader)?));
        }
        for _ in 0..reader.rows(1 + Class::COUNT)? {
            let boot_ms = reader.number()?;
            let mut counts = [0; Class::COUNT];
            for count in &mut counts {
                *count = reader.number()?;
            }
            aside.rest.push((boot_ms, counts));
        }
        Ok(aside)
    }
}

fn event(reader: &mut Reader<'_>) -> Result<Event, Malformed> {
    let source = reader.wide()?;
    let source = Address { high: (source >> 64) as u64, low: source as u64 };
    let protocol = reader.u8()?;
    let port = u16::try_from(reader.small()?).map_err(|_| Malformed("a port is too large"))?;
    let (class, verdict) = (reader.u8()?, reader.u8()?);
    Ok(Event {
        time: 0,
        source,
        destination: Address::v4(0),
        fingerprint: 0,
        unhashed: false,
        uptime: 0,
        source_port: 0,
        port,
        length: 0,
        path: PathId(0),
        protocol,
        flags: 0,
        icmp_type: 0,
        icmp_code: 0,
        class: *Class::ALL.get(usize::from(class)).ok_or(Malformed("an unknown class"))?,
        verdict: *Verdict::ALL.get(usize::from(verdict)).ok_or(Malformed("an unknown verdict"))?,
        count: reader.small()?.max(1),
    })
}

#[cfg(test)]
mod tests {
    use super::*;
    use proptest::prelude::*;

    #[test]
    fn what_waits_comes_back() {
        let mut one = event(&mut Reader::plain(&[7, 6, 23, 0, 1, 3])).unwrap();
        assert_eq!((one.source, one.port, one.count), (Address { high: 0, low: 7 }, 23, 3));
        one.source = "2001:db8::7".parse::<std::net::IpAddr>().unwrap().into();
        let aside = Aside { events: vec![(5_000, one)], rest: vec![(900_000, [u64::MAX, 0, 0, 0, 9])] };
        assert_eq!(Aside::decode(&aside.encode().bytes), Ok(aside.clone()));
        assert_eq!(aside.count(), u64::MAX);
        assert_eq!(Aside::decode(&Aside::default().encode().bytes), Ok(Aside::default()));
    }

    proptest! {
        #[test]
        fn any_bytes_are_read_without_panic(bytes in proptest::collection::vec(any::<u8>(), 0..80)) {
            let _ = Aside::decode(&bytes);
        }
    }
}
