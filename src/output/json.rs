//! Records -> JSON text (RFC 8259) on one line. Parses nothing.

use std::fmt::Write;

use crate::query::record::{Field, FieldValue};

/// The text of a record or of another value.
pub fn text(field: &dyn Field) -> String {
    let mut out = String::new();
    put(&mut out, field.value());
    out
}

fn put(out: &mut String, value: FieldValue<'_>) {
    // Writing to a String cannot fail.
    match value {
        FieldValue::Absent | FieldValue::Null => out.push_str("null"),
        FieldValue::Bool(flag) => out.push_str(if flag { "true" } else { "false" }),
        FieldValue::Unsigned(count) => _ = write!(out, "{count}"),
        FieldValue::Signed(number) => _ = write!(out, "{number}"),
        // The fewest digits that parse to the same number.
        FieldValue::Float(ratio) => match serde_json::Number::from_f64(ratio) {
            Some(ratio) => _ = write!(out, "{ratio}"),
            None => out.push_str("null"),
        },
        FieldValue::Text(text) => put_text(out, text),
        FieldValue::Display(shown) => put_text(out, &shown.to_string()),
        FieldValue::List(list) => {
            let mut before = '[';
            list.each(&mut |item| {
                out.push(std::mem::replace(&mut before, ','));
                put(out, item.value());
            });
            out.push_str(if before == '[' { "[]" } else { "]" });
        }
        FieldValue::Record(record) => {
            let mut before = '{';
            record.each(&mut |name, field| {
                let value = field.value();
                if !matches!(value, FieldValue::Absent) {
                    out.push(std::mem::replace(&mut before, ','));
                    put_text(out, name);
                    out.push(':');
                    put(out, value);
                }
            });
            out.push_str(if before == '{' { "{}" } else { "}" });
        }
    }
}

fn put_text(out: &mut String, text: &str) {
    out.push('"');
    for letter in text.chars() {
        match letter {
            '"' => out.push_str("\\\""),
            '\\' => out.push_str("\\\\"),
            '\n' => out.push_str("\\n"),
            '\r' => out.push_str("\\r"),
            '\t' => out.push_str("\\t"),
            '\x08' => out.push_str("\\b"),
            '\x0c' => out.push_str("\\f"),
            // Also the C1 control characters, which 8-bit terminals interpret.
            '\0'..='\x1f' | '\x7f'..='\u{9f}' => _ = write!(out, "\\u{:04x}", letter as u32),
            _ => out.push(letter),
        }
    }
    out.push('"');
}

#[cfg(test)]
mod tests {
    use super::*;
    use proptest::prelude::*;
    use serde_json::{Value, json};

    /// Values as serde_json makes them, with all that text and numbers can be.
    fn values() -> impl Strategy<Value = Value> {
        let number = any::<f64>().prop_map(|ratio| json!(ratio));
        let small = (-1e7..1e7f64, 0..12).prop_map(|(ratio, power)| json!(ratio / 10f64.powi(power)));
        let leaf = prop_oneof![
            Just(Value::Null),
            any::<bool>().prop_map(|flag| json!(flag)),
            any::<u64>().prop_map(|count| json!(count)),
            any::<i64>().prop_map(|number| json!(number)),
            number,
            small,
            ".*".prop_map(|text| json!(text)),
            "[\\x00-\\x7f]*".prop_map(|text| json!(text)),
        ];
        leaf.prop_recursive(4, 40, 6, |inner| {
            prop_oneof![
                proptest::collection::vec(inner.clone(), 0..6).prop_map(Value::Array),
                proptest::collection::btree_map(".{0,6}", inner, 0..6).prop_map(|keys| json!(keys)),
            ]
        })
    }

    #[test]
    fn numbers_have_the_form_of_other_writers() {
        for (ratio, written) in [
            (0.0, "0.0"),
            (-0.0, "-0.0"),
            (13.0, "13.0"),
            (1.732, "1.732"),
            (0.1 + 0.2, "0.30000000000000004"),
            (1e-5, "0.00001"),
            (1.5e-7, "1.5e-7"),
            (1e16, "1e+16"),
            (123_456_789_012_345.0, "123456789012345.0"),
            (f64::NAN, "null"),
        ] {
            assert_eq!(text(&ratio), written);
        }
    }

    proptest! {
        #[test]
        fn any_value_is_written_as_serde_json_writes_it(value in values()) {
            let controls = ('\x7f'..='\u{9f}').map(|c| (c, format!("\\u{:04x}", c as u32)));
            let expected = controls.fold(value.to_string(), |text, (c, escaped)| text.replace(c, &escaped));
            prop_assert_eq!(text(&value), expected);
        }
    }
}
