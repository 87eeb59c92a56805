//! blobmsg (the typed values of ubus) <-> JSON values, and signatures of methods.

use serde_json::{Map, Number, Value};
use ubus::blobmsg::{BlobBuilder, BlobIter, BlobMsgTable, BlobRef, BlobType, BlobValue};

/// Nesting that is still read; what is deeper is left out.
const MAX_DEPTH: usize = 32;
/// The longest key that is written.
const MAX_KEY: usize = 256;

/// A table of the object's keys. A key that is `null` is left out; integers are 32 bits wide when they
/// fit, else 64. Anything but an object gives an empty table.
pub fn from_value(value: &Value) -> BlobMsgTable {
    BlobMsgTable::build(|out| {
        if let Value::Object(keys) = value {
            put_keys(out, keys);
        }
    })
}

fn put_keys(out: &mut BlobBuilder, keys: &Map<String, Value>) {
    for (key, value) in keys {
        if !value.is_null() && key.len() <= MAX_KEY {
            put(out, Some(key), value);
        }
    }
}

fn put(out: &mut BlobBuilder, name: Option<&str>, value: &Value) {
    match value {
        Value::Null => out.put_null(name),
        Value::Bool(flag) => out.put_bool(name, *flag),
        Value::String(text) => out.put_str(name, text),
        Value::Number(number) => put_number(out, name, number),
        Value::Array(items) => {
            out.open_array(name);
            items.iter().for_each(|item| put(out, None, item));
            out.close_array();
        }
        Value::Object(keys) => {
            out.open_table(name);
            put_keys(out, keys);
            out.close_table();
        }
    }
}

fn put_number(out: &mut BlobBuilder, name: Option<&str>, number: &Number) {
    let whole = number.as_i64().or(number.as_u64().map(|_| i64::MAX));
    match whole.map(|whole| (whole, i32::try_from(whole))) {
        Some((_, Ok(small))) => out.put_i32(name, small),
        Some((large, Err(_))) => out.put_i64(name, large),
        None => out.put_double(name, number.as_f64().unwrap_or(0.0)),
    }
}

/// Bytes that `value` takes in a message, to cut an answer before it is too long.
pub fn encoded_size(value: &Value) -> usize {
    fn attribute(name: usize, payload: usize) -> usize {
        4 + (name + 3).next_multiple_of(4) + payload.next_multiple_of(4)
    }
    fn size(name: usize, value: &Value) -> usize {
        let payload = match value {
            Value::Null => 0,
            Value::Bool(_) => 1,
            Value::Number(_) => 8,
            Value::String(text) => text.len() + 1,
            Value::Array(items) => items.iter().map(|item| size(0, item)).sum(),
            Value::Object(keys) => keys.iter().map(|(key, value)| size(key.len(), value)).sum(),
        };
        attribute(name, payload)
    }
    size(0, value)
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

        #[test]
        fn the_size_is_never_told_too_small(texts in proptest::collection::vec(".{0,20}", 0..20), number: i64) {
            let value = json!({"rows": texts, "n": number, "b": true, "f": 0.5});
            let table = from_value(&value);
            prop_assert!(table.contents().len() <= encoded_size(&value));
            prop_assert!(encoded_size(&value) <= table.contents().len() + 40);
        }
    }
}
