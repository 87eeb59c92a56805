//! Events that wait <-> bytes. Those of the boot clock lie in the copy in RAM only: after a reboot nobody knows what
//! day their moments were. Those dated in the future lie in `later.fws`.

use crate::event::{Class, Event, Verdict};
use crate::stats::deferred::{Deferred, MAX_QUARTERS, MAX_ROWS};

use super::codec::{Reader, Writer};
use super::sections::{read_address, read_service, write_address, write_service};

pub(super) fn encode(deferred: &Deferred) -> Vec<u8> {
    if deferred.is_empty() && deferred.dropped() == 0 {
        return Vec::new();
    }
    let (events, rest) = deferred.sorted();
    let mut writer = Writer::new();
    writer.number(deferred.dropped());
    writer.number(events.len() as u64);
    for (moment, event) in &events {
        writer.number(*moment);
        write_address(&mut writer, event.source);
        write_service(&mut writer, event.service());
        writer.u8(event.class as u8);
        writer.u8(event.verdict as u8);
        writer.number(event.count.into());
    }
    writer.number(rest.len() as u64);
    for (moment, counts) in &rest {
        writer.number(*moment);
        counts.iter().for_each(|count| writer.number(*count));
    }
    writer.bytes
}

/// `None` if the bytes contain an invalid record.
pub(super) fn decode(bytes: &[u8]) -> Option<Deferred> {
    let mut deferred = Deferred::default();
    if bytes.is_empty() {
        return Some(deferred);
    }
    let mut reader = Reader::new(bytes);
    deferred.add_dropped(reader.number());
    for _ in 0..reader.items().min(MAX_ROWS) {
        let moment = reader.number();
        let source = read_address(&mut reader);
        let service = read_service(&mut reader);
        let class = *Class::ALL.get(usize::from(reader.u8()))?;
        let verdict = *Verdict::ALL.get(usize::from(reader.u8()))?;
        let count = reader.small().max(1);
        let (protocol, port) = (service.protocol, service.port);
        let event = Event { source, protocol, port, class, verdict, count, ..Event::default() };
        if reader.has_failed() {
            return None;
        }
        deferred.add(moment, &event);
    }
    for _ in 0..reader.items().min(MAX_QUARTERS) {
        let moment = reader.number();
        let counts = Class::ALL.map(|_| reader.number());
        if reader.has_failed() {
            return None;
        }
        deferred.add_counts(moment, &counts);
    }
    (!reader.has_failed() && reader.is_empty()).then_some(deferred)
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::event::Address;
    use proptest::prelude::*;

    #[test]
    fn what_waits_comes_back() {
        let mut deferred = Deferred::default();
        assert!(decode(&encode(&deferred)).unwrap().is_empty());
        let event = Event { source: Address::v4(7), port: 23, protocol: 6, count: 3, ..Event::default() };
        deferred.add(5_000, &event);
        deferred.add_counts(900_000, &[u64::MAX, 0, 0, 0, 9]);
        deferred.add_dropped(4);
        let read = decode(&encode(&deferred)).unwrap();
        assert_eq!((read.sorted(), read.dropped()), (deferred.sorted(), 4));
    }

    proptest! {
        #[test]
        fn any_bytes_are_read_without_panic(bytes in proptest::collection::vec(any::<u8>(), 0..80)) {
            let _ = decode(&bytes);
        }
    }
}
