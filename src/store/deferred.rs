//! Deferred events <-> bytes. Those with times of the boot clock are in the copy in RAM only, since these times cannot
//! be converted after a reboot. Those dated in the future are in `later.fws`.

use crate::event::{Class, Event, Verdict};
use crate::stats::deferred::{At, Counts, Deferred};

use super::codec::{Codec, Content, Reader};
use super::container::Kind;
use super::directory::Open;
use super::sections::{address, service};

/// Events and counts with their times (milliseconds).
fn code(codec: &mut impl Codec, dropped: &mut u64, events: &mut Vec<At<Event>>, rest: &mut Vec<At<Counts>>) {
    codec.number(dropped);
    codec.rows(events, 11, (0, Event::default()), |codec, (moment, event)| {
        codec.number(moment);
        address(codec, &mut event.source);
        let mut of_event = event.service();
        service(codec, &mut of_event);
        (event.protocol, event.port) = (of_event.protocol, of_event.port);
        codec.one_of(&mut event.class, &Class::ALL);
        codec.one_of(&mut event.verdict, &Verdict::ALL);
        codec.small(&mut event.count);
    });
    codec.rows(rest, 1 + Class::COUNT, (0, [0; Class::COUNT]), |codec, (moment, counts)| {
        codec.number(moment);
        counts.iter_mut().for_each(|count| codec.number(count));
    });
}

/// The section with deferred events.
pub(super) fn encode(deferred: &Deferred) -> Content {
    if deferred.is_empty() && deferred.dropped() == 0 {
        return Content::default();
    }
    let (mut events, mut rest) = deferred.sorted();
    Content::of(|content| code(content, &mut deferred.dropped(), &mut events, &mut rest))
}

/// The events in a file; `None`: damaged.
pub(super) fn from_file(file: &Open) -> Option<Deferred> {
    decode(&file.section(Kind::Deferred).ok()?.unwrap_or_default())
}

/// `None` if the bytes contain an invalid record.
fn decode(bytes: &[u8]) -> Option<Deferred> {
    let (mut dropped, mut events, mut rest) = (0, Vec::new(), Vec::new());
    if !bytes.is_empty() {
        let mut reader = Reader::new(bytes);
        code(&mut reader, &mut dropped, &mut events, &mut rest);
        reader.is_whole().then_some(())?;
    }
    let mut deferred = Deferred::default();
    deferred.add_dropped(dropped);
    for (moment, event) in events {
        deferred.add(moment, &Event { count: event.count.max(1), ..event });
    }
    rest.iter().for_each(|(moment, counts)| deferred.add_counts(*moment, counts));
    Some(deferred)
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::event::Address;
    use proptest::prelude::*;

    #[test]
    fn what_waits_comes_back() {
        let mut deferred = Deferred::default();
        assert!(decode(&encode(&deferred).bytes).unwrap().is_empty());
        let event = Event { source: Address::v4(7), port: 23, protocol: 6, count: 3, ..Event::default() };
        deferred.add(5_000, &event);
        deferred.add_counts(900_000, &[u64::MAX, 0, 0, 0, 9]);
        deferred.add_dropped(4);
        let read = decode(&encode(&deferred).bytes).unwrap();
        assert_eq!((read.sorted(), read.dropped()), (deferred.sorted(), 4));
    }

    proptest! {
        #[test]
        fn any_bytes_are_read_without_panic(bytes in proptest::collection::vec(any::<u8>(), 0..80)) {
            let _ = decode(&bytes);
        }
    }
}
