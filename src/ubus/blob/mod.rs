//! blobmsg (the typed values of ubus): records and JSON values -> tables, tables -> JSON values; signatures of methods.

mod write;

use serde_json::{Map, Number, Value};
use ubus::blobmsg::{BlobIter, BlobMsgTable, BlobRef, BlobType, BlobValue};

pub use write::table;

/// Levels of nesting that are read; deeper values are left out.
const MAX_DEPTH: usize = 32;

/// The keys of a table (the payload of a message's data). A malformed attribute ends the parsing; text that is not
/// UTF-8 has its invalid bytes replaced.
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

/// The type of a method's argument.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub enum Type {
    Text = BlobType::String as isize,
    Integer = BlobType::Int32 as isize,
}

/// Arguments that several methods have in common.
pub type Arguments<'a> = &'a [(&'a str, Type)];

/// A method's name and its arguments.
pub type Method<'a> = (&'a str, &'a [Arguments<'a>]);

/// What `ubus -v list` shows of an object.
pub fn signature(methods: &[Method<'_>]) -> Vec<u8> {
    let table = BlobMsgTable::build(|out| {
        for (method, arguments) in methods {
            out.open_table(Some(method));
            for (argument, kind) in arguments.iter().copied().flatten() {
                out.put_i32(Some(argument), *kind as i32);
            }
            out.close_table();
        }
    });
    table.contents().to_vec()
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::event::calendar::Date;
    use crate::record;
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
        assert_eq!(to_value(table(&value).contents()), expected);
        assert_eq!(to_value(table(&json!({"n": u64::MAX})).contents()), json!({"n": i64::MAX}));
        assert_eq!(table(&json!([1, 2])).contents(), b"");
    }

    record! {
        struct Row {
            port: Option<u16>,
            name: String,
            days: Vec<Date>,
            rest: Rest = Flatten,
        }

        struct Rest {
            ratio: f64,
            dry: bool = SkipEmpty,
            rows: Vec<Row> = SkipEmpty,
        }
    }

    #[test]
    fn a_record_is_a_table() {
        let row = |port, dry, rows| Row {
            port,
            name: "x".into(),
            days: vec![Date(0)],
            rest: Rest { ratio: 0.5, dry, rows },
        };
        let row = row(Some(23), true, vec![row(None, false, vec![])]);
        let written = to_value(table(&row).contents());
        let expected = json!({"port": 23, "name": "x", "days": ["1970-01-01"], "ratio": 0.5, "dry": true,
            "rows": [{"name": "x", "days": ["1970-01-01"], "ratio": 0.5}]});
        assert_eq!(written, expected);
    }

    #[test]
    fn integers_are_as_wide_as_needed() {
        let table = super::table(&json!({"a": i32::MAX, "b": i32::MAX as i64 + 1}));
        let types: Vec<BlobType> = BlobIter::new(table.contents()).map(|entry| entry.ty).collect();
        assert_eq!(types, [BlobType::Int32, BlobType::Int64]);
    }

    #[test]
    fn nesting_without_end_is_cut() {
        let mut value = json!(1);
        for _ in 0..100 {
            value = json!({ "x": value });
        }
        let depth = to_value(table(&value).contents()).to_string().matches('x').count();
        assert_eq!(depth, MAX_DEPTH);
    }

    proptest! {
        #[test]
        fn arbitrary_bytes_never_panic(bytes in proptest::collection::vec(any::<u8>(), 0..400)) {
            to_value(&bytes);
        }
    }
}
