//! A record -> a blobmsg table. No tree of values is built, so that an answer of a thousand rows takes no more memory
//! than its length.

use serde_json::{Map, Value};
use ubus::blobmsg::{BlobBuilder, BlobMsgTable};

use crate::query::record::{Field, FieldValue, Record};

/// The longest key that is written.
const MAX_KEY: usize = 256;

/// The table of a record's fields; without fields of anything else. A key without a value is left out; integers are 32 bits wide when they
/// fit, else 64 (and at most what a signed one holds).
pub fn table(field: &dyn Field) -> BlobMsgTable {
    BlobMsgTable::build(|out| {
        if let FieldValue::Record(record) = field.value() {
            put_fields(out, record);
        }
    })
}

fn put_fields(out: &mut BlobBuilder, record: &dyn Record) {
    record.each(&mut |name, field| {
        let value = field.value();
        if name.len() <= MAX_KEY && !matches!(value, FieldValue::Absent | FieldValue::Null) {
            put(out, Some(name), value);
        }
    });
}

fn put(out: &mut BlobBuilder, name: Option<&str>, value: FieldValue<'_>) {
    match value {
        FieldValue::Absent | FieldValue::Null => out.put_null(name),
        FieldValue::Bool(flag) => out.put_bool(name, flag),
        FieldValue::Unsigned(count) => put_integer(out, name, i64::try_from(count).unwrap_or(i64::MAX)),
        FieldValue::Signed(number) => put_integer(out, name, number),
        FieldValue::Float(ratio) => out.put_double(name, ratio),
        FieldValue::Text(text) => out.put_str(name, text),
        FieldValue::Display(shown) => out.put_str(name, &shown.to_string()),
        FieldValue::List(list) => {
            out.open_array(name);
            list.each(&mut |item| put(out, None, item.value()));
            out.close_array();
        }
        FieldValue::Record(record) => {
            out.open_table(name);
            put_fields(out, record);
            out.close_table();
        }
    }
}

fn put_integer(out: &mut BlobBuilder, name: Option<&str>, number: i64) {
    match i32::try_from(number) {
        Ok(small) => out.put_i32(name, small),
        Err(_) => out.put_i64(name, number),
    }
}

/// A JSON value is written as any record is.
impl Field for Value {
    fn value(&self) -> FieldValue<'_> {
        match self {
            Value::Null => FieldValue::Null,
            Value::Bool(flag) => FieldValue::Bool(*flag),
            Value::Number(number) => match (number.as_u64(), number.as_i64()) {
                (Some(count), _) => FieldValue::Unsigned(count),
                (_, Some(number)) => FieldValue::Signed(number),
                _ => FieldValue::Float(number.as_f64().unwrap_or(f64::NAN)),
            },
            Value::String(text) => FieldValue::Text(text),
            Value::Array(items) => FieldValue::List(items),
            Value::Object(keys) => FieldValue::Record(keys),
        }
    }
}

impl Record for Map<String, Value> {
    fn each(&self, visit: &mut dyn FnMut(&str, &dyn Field)) {
        self.iter().for_each(|(name, value)| visit(name, value));
    }
}
