//! A JSON value -> a record: an answer is read back into the struct that it was written from.

use serde_json::{Map, Value};

use crate::query::record::{Field, Need, Record, Slot};

/// Fills a record of default values with the keys of an object; keys that it does not have are passed over.
/// The error says which field is missing or of another kind.
pub fn fill(record: &mut dyn Record, value: Value) -> Result<(), String> {
    let Value::Object(mut keys) = value else { return Err("it is no table".into()) };
    fields(record, &mut keys)
}

fn fields(record: &mut dyn Record, keys: &mut Map<String, Value>) -> Result<(), String> {
    let mut outcome = Ok(());
    record.each_mut(&mut |name, need, field| {
        if outcome.is_ok() {
            outcome = one(name, need, field, keys);
        }
    });
    outcome
}

fn one(name: &str, need: Need, field: &mut dyn Field, keys: &mut Map<String, Value>) -> Result<(), String> {
    let slot = field.slot();
    if need == Need::Within
        && let Slot::Table(inner) = slot
    {
        return fields(inner, keys);
    }
    match keys.remove(name) {
        Some(value) => set(name, slot, value),
        None if need == Need::Always && !matches!(slot, Slot::Optional(_)) => {
            Err(format!("{name} is missing"))
        }
        None => Ok(()),
    }
}

fn set(name: &str, slot: Slot<'_>, value: Value) -> Result<(), String> {
    let fits = |fits: bool, kind: &str| if fits { Ok(()) } else { Err(format!("{name} is no {kind}")) };
    match (slot, value) {
        (Slot::Optional(_), Value::Null) => Ok(()),
        (Slot::Optional(inner), value) => set(name, inner.fill().slot(), value),
        (Slot::Table(record), value) => fill(record, value),
        (Slot::List(list), Value::Array(items)) => {
            items.into_iter().try_for_each(|item| set(name, list.add().slot(), item))
        }
        (Slot::List(_), _) => fits(false, "list"),
        (Slot::Counts(counts), Value::Object(keys)) => {
            let read = keys.into_iter().map(|(key, count)| Some((key, count.as_u64()?)));
            *counts = read.collect::<Option<_>>().ok_or_else(|| format!("{name} is no table of numbers"))?;
            Ok(())
        }
        (Slot::Counts(_), _) => fits(false, "table of numbers"),
        (Slot::Flag(flag), value) => fits(value.as_bool().map(|is| *flag = is).is_some(), "yes or no"),
        (Slot::Count(number), value) => {
            fits(value.as_u64().is_some_and(|count| number.set(count)), "whole number that fits")
        }
        (Slot::Ratio(ratio), value) => fits(value.as_f64().map(|is| *ratio = is).is_some(), "number"),
        (Slot::Text(text), Value::String(is)) => {
            *text = is;
            Ok(())
        }
        (Slot::Text(_), _) => fits(false, "text"),
        (Slot::Parsed(parsed), value) => {
            let read = value.as_str().is_some_and(|text| parsed.set(text));
            if read { Ok(()) } else { Err(format!("{name} is of no known form")) }
        }
        (Slot::Closed, _) => Err(format!("{name} is only written")),
    }
}
