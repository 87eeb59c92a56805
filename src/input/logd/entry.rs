//! One entry of logd, borrowed from the message it came in. Pure.

use ubus::blobmsg::{BlobIter, BlobRef, BlobType};

use crate::ubus::blob::text_of;

/// Where logd has an entry from (`enum` in ubox's syslog.h).
pub(super) const SOURCE_KERNEL: u32 = 0;
/// `SOURCE_SYSLOG` of ubox's log/syslog.h: any local process.
pub(super) const SOURCE_SYSLOG: u32 = 1;

/// One entry of logd, as its blobmsg has it (ubox, log/logd.c).
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub struct Entry<'a> {
    /// Counts up from 0 in each logd process.
    pub id: u32,
    /// Wall time when logd got it.
    pub time_ms: i64,
    /// `SOURCE_KERNEL` or `SOURCE_SYSLOG`, or another number of ubox's log/syslog.h.
    pub source: u32,
    /// Facility * 8 + severity.
    pub priority: u32,
    /// The message, without priority and time.
    pub msg: &'a [u8],
}

impl<'a> Entry<'a> {
    /// Reads a table's contents; `None` if a field is missing or has another type.
    pub fn read(table: &'a [u8]) -> Option<Entry<'a>> {
        let (mut id, mut time, mut source, mut priority, mut msg) = (None, None, None, None, None);
        for field in BlobIter::new(table) {
            match field.name {
                Some("msg") if field.ty == BlobType::String => msg = Some(text_of(field.payload)),
                Some("id") => id = number(&field),
                Some("priority") => priority = number(&field),
                Some("source") => source = number(&field),
                Some("time") if field.ty == BlobType::Int64 => {
                    time = field.payload.first_chunk().map(|bytes| i64::from_be_bytes(*bytes));
                }
                _ => {}
            }
        }
        Some(Entry { id: id?, time_ms: time?, source: source?, priority: priority?, msg: msg? })
    }
}

fn number(field: &BlobRef<'_>) -> Option<u32> {
    if field.ty != BlobType::Int32 {
        return None;
    }
    field.payload.first_chunk().map(|bytes| u32::from_be_bytes(*bytes))
}

/// The entries in the answer of `read`; malformed ones are left out, and the one of time 0 without a text
/// that logd sends while its ring is empty.
pub fn backlog_entries(data: &[u8]) -> impl Iterator<Item = Entry<'_>> {
    let log = BlobIter::new(data).find(|field| field.name == Some("log") && field.ty == BlobType::Array);
    BlobIter::new(log.map_or(&[][..], |log| log.payload))
        .filter_map(|entry| Entry::read(entry.payload))
        .filter(|entry| entry.time_ms != 0 || !entry.msg.is_empty())
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::ubus::blob::table as from_value;
    use proptest::prelude::*;
    use serde_json::json;

    #[test]
    fn an_entry_of_a_notification() {
        let table = from_value(&json!({"msg": "[1.2] drop wan in: IN=wan", "id": -1, "priority": 4,
            "source": 0, "time": 1_789_000_000_123i64}));
        let expected = Entry {
            id: u32::MAX,
            time_ms: 1_789_000_000_123,
            source: 0,
            priority: 4,
            msg: b"[1.2] drop wan in: IN=wan",
        };
        assert_eq!(Entry::read(table.contents()), Some(expected));
        assert_eq!(Entry::read(from_value(&json!({"msg": "x", "id": 1})).contents()), None);
    }

    #[test]
    fn an_empty_ring_has_no_entries() {
        let nothing = json!({"msg": "", "id": 0, "priority": 0, "source": 0, "time": 0});
        let one = json!({"msg": "", "id": 7, "priority": 0, "source": 0, "time": 5_000_000_000_000i64});
        let mut table = from_value(&json!({"log": [one]}));
        assert_eq!(backlog_entries(table.contents()).map(|entry| entry.id).collect::<Vec<_>>(), [7]);
        // logd writes times of 64 bits, whatever they are.
        let at = table.contents().windows(8).position(|bytes| bytes == 5_000_000_000_000i64.to_be_bytes());
        let mut bytes = table.contents().to_vec();
        bytes[at.unwrap()..][..8].fill(0);
        assert_eq!(backlog_entries(&bytes).count(), 0);
        table = from_value(&json!({ "log": [nothing] }));
        assert_eq!(backlog_entries(table.contents()).count(), 0);
    }

    proptest! {
        #[test]
        fn arbitrary_bytes_never_panic(bytes in proptest::collection::vec(any::<u8>(), 0..300)) {
            Entry::read(&bytes);
            backlog_entries(&bytes).count();
        }
    }
}
