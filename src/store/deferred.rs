//! Deferred events <-> bytes. Those with times of the boot clock are in the copy in RAM only, since these times cannot
//! be converted after a reboot. Those dated in the future are in `later.fws`.

use crate::event::{Class, Event, Verdict};
use crate::stats::deferred::{At, Counts, Deferred};

use super::codec::{self, Codec, Content};
use super::container::{Kind, Open};
use super::sections::{address, service};

/// Dropped events; and events and counts with their times (milliseconds).
type Fields = (u64, Vec<At<Event>>, Vec<At<Counts>>);

fn code(codec: &mut Codec<'_>, (dropped, events, rest): &mut Fields) {
    codec.number(dropped);
    codec.rows(events, (0, Event::default()), |codec, (moment, event)| {
        codec.number(moment);
        address(codec, &mut event.source);
        let mut of_event = event.service();
        service(codec, &mut of_event);
        (event.protocol, event.port) = (of_event.protocol, of_event.port);
        codec.one_of(&mut event.class, &Class::ALL);
        codec.one_of(&mut event.verdict, &Verdict::ALL);
        codec.small(&mut event.count);
    });
    codec.rows(rest, (0, [0; Class::COUNT]), |codec, (moment, counts)| {
        codec.number(moment);
        counts.iter_mut().for_each(|count| codec.number(count));
    });
}

/// The section with deferred events.
pub(super) fn encode(deferred: &Deferred) -> Content {
    if deferred.is_empty() && deferred.dropped() == 0 {
        return Content::default();
    }
    let (events, rest) = deferred.sorted();
    Content::of(|codec| code(codec, &mut (deferred.dropped(), events, rest)))
}

/// The events in a file; `None`: damaged.
pub(super) fn from_file(file: &Open) -> Option<Deferred> {
    decode(&file.section(Kind::Deferred).ok()?.unwrap_or_default())
}

/// `None` if the bytes contain an invalid record.
fn decode(bytes: &[u8]) -> Option<Deferred> {
    let mut deferred = Deferred::default();
    if bytes.is_empty() {
        return Some(deferred);
    }
    let (dropped, events, rest) = codec::decode(bytes, Fields::default(), code)?;
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
