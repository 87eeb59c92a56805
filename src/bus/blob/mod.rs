//! blobmsg (the typed values of ubus) <-> what serde writes and JSON values, and signatures of methods.

mod serialize;

use serde_json::{Map, Number, Value};
use ubus::blobmsg::{BlobIter, BlobMsgTable, BlobRef, BlobType, BlobValue};

pub use serialize::{NotATable, table};

/// Nesting that is still read; what is deeper is left out.
const MAX_DEPTH: usize = 32;

/// A table of the object's keys, see [`table`]. Anything but an object gives an empty table.
pub fn from_value(value: &Value) -> BlobMsgTable {
    table(value).unwrap_or_else(|_| BlobMsgTable::empty())
}

/// The keys of a table (the payload of a message's data). What is malformed ends it; text that is not
/// UTF-8 has its bad bytes replaced.
pub fn to_value(table: &[u8]) -> Value {
    Value::Object(keys_of(table, 0))
}

fn keys_of(table: &[u8], depth: usize) -> Map<String, Value> {
    BlobIter::new(table)
        .filter_map(|entry| Some((entry.name?.to_owned(), value_of(&entry, depth)?)))
        .collect()
}

fn value_of(entry: &BlobRef<'_>, depth: usize) -> Option<Value> {
    if entry.ty == BlobType::String {
        return Some(Value::String(String::from_utf8_lossy(text_of(entry.payload)).into_owned()));
    }
    Some(match entry.value().ok()? {
        BlobValue::Int8(flag) => Value::Bool(flag != 0),
        BlobValue::Int16(number) => number.into(),
        BlobValue::Int32(number) => number.into(),
        BlobValue::Int64(number) => number.into(),
        BlobValue::Double(number) => Number::from_f64(number).map_or(Value::Null, Value::Number),
        BlobValue::Table(_) | BlobValue::Array(_) if depth >= MAX_DEPTH => return None,
        BlobValue::Table(table) => Value::Object(keys_of(table, depth + 1)),
        BlobValue::Array(items) => {
            BlobIter::new(items).filter_map(|item| value_of(&item, depth + 1)).collect()
        }
        BlobValue::Raw(_) | BlobValue::String(_) => Value::Null,
    })
}

/// A string's bytes up to its NUL.
pub fn text_of(payload: &[u8]) -> &[u8] {
    &payload[..memchr::memchr(0, payload).unwrap_or(payload.len())]
}

/// The type that a method declares for an argument.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub enum Type {
    Text,
    Integer,
}

/// A method's name and its arguments.
pub type Method<'a> = (&'a str, &'a [(&'a str, Type)]);

/// What `ubus -v list` shows of an object.
pub fn signature(methods: &[Method<'_>]) -> Vec<u8> {
    let table = BlobMsgTable::build(|out| {
        for (method, arguments) in methods {
            out.open_table(Some(method));
            for (argument, kind) in *arguments {
                let number = match kind {
                    Type::Text => BlobType::String,
                    Type::Integer => BlobType::Int32,
                };
                out.put_i32(Some(argument), number as i32);
            }
            out.close_table();
        }
    });
    table.contents().to_vec()
}

#[cfg(test)]
mod tests {
    use super::*;
    use proptest::prelude::*;
    use serde_json::json;

    #[test]
    fn values_come_back_and_null_keys_are_left_out() {
        let value = json!({
            "small": -5, "large": 5_000_000_000i64, "ratio": 1.732, "flag": true, "text": "a\u{e9}<b>",
            "rows": [{"port": 23}, [], "x", 7], "gone": null, "nested": {"deep": {"er": 1}},
        });
        let mut expected = value.clone();
        expected.as_object_mut().unwrap().remove("gone");
        assert_eq!(to_value(from_value(&value).contents()), expected);
        assert_eq!(to_value(from_value(&json!({"n": u64::MAX})).contents()), json!({"n": i64::MAX}));
        assert_eq!(from_value(&json!([1, 2])).contents(), b"");
    }

    #[test]
    fn structs_are_written_as_their_json_is() {
        #[derive(serde::Serialize)]
        struct Row {
            port: Option<u16>,
            name: &'static str,
            #[serde(flatten)]
            rest: Rest,
        }
        #[derive(serde::Serialize)]
        struct Rest {
            ratio: f64,
            pairs: Vec<(u8, bool)>,
        }
        let row = |port| Row { port, name: "x", rest: Rest { ratio: 0.5, pairs: vec![(1, true)] } };
        let rows = json!({"rows": [{"port": 23, "name": "x", "ratio": 0.5, "pairs": [[1, true]]},
            {"name": "x", "ratio": 0.5, "pairs": [[1, true]]}]});
        let written =
            table(&std::collections::BTreeMap::from([("rows", [row(Some(23)), row(None)])])).unwrap();
        assert_eq!(to_value(written.contents()), rows);
        assert!(table(&5).is_err() && table(&[1]).is_err() && table(&"x").is_err());
    }

    #[test]
    fn integers_are_as_wide_as_needed() {
        let table = from_value(&json!({"a": i32::MAX, "b": i32::MAX as i64 + 1}));
        let types: Vec<BlobType> = BlobIter::new(table.contents()).map(|entry| entry.ty).collect();
        assert_eq!(types, [BlobType::Int32, BlobType::Int64]);
    }

    #[test]
    fn nesting_without_end_is_cut() {
        let mut value = json!(1);
        for _ in 0..100 {
            value = json!({ "x": value });
        }
        let depth = to_value(from_value(&value).contents()).to_string().matches('x').count();
        assert_eq!(depth, MAX_DEPTH);
    }

    proptest! {
        #[test]
        fn arbitrary_bytes_never_panic(bytes in proptest::collection::vec(any::<u8>(), 0..400)) {
            to_value(&bytes);
        }
    }
}
