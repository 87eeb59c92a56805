//! Serialization of answers: [`record!`](crate::record!) defines a struct and lists its fields for every writer (JSON,
//! blobmsg), which visits them as trait objects: adding a format takes no code for each struct.
//!
//! Takes structs, gives names with [`FieldValue`]s in order. Knows no format and parses nothing.

use crate::event::calendar::{Date, Month};
use crate::event::small_map::SmallMap;
use std::borrow::Cow;
use std::fmt;

/// The value of a field, for a writer.
pub enum FieldValue<'a> {
    /// Not measured: the key is left out.
    Absent,
    Null,
    Bool(bool),
    Unsigned(u64),
    Signed(i64),
    Float(f64),
    Text(&'a str),
    /// A value written as its `Display` text.
    Display(&'a dyn fmt::Display),
    List(&'a dyn List),
    Record(&'a dyn Record),
}

/// The type of a record's field.
pub trait Field {
    fn value(&self) -> FieldValue<'_>;
}

/// Named fields.
pub trait Record {
    /// Its fields in order, also those whose value is [`FieldValue::Absent`].
    fn each(&self, visit: &mut dyn FnMut(&str, &dyn Field));
}

/// Items without names.
pub trait List {
    fn each(&self, visit: &mut dyn FnMut(&dyn Field));
}

/// Defines structs with [`Record`]: `record! { struct Row { name: String, dry: bool = SkipEmpty } }`. Their fields are
/// written in this order; with `SkipEmpty` not if they are false or an empty list; with `Flatten` the fields of the record
/// are written in its place. The structs are `Clone`, `Debug` and `Default`.
#[macro_export]
macro_rules! record {
    ($(
        $(#[$about:meta])*
        $visible:vis struct $name:ident {
            $($(#[$field_about:meta])* $field_visible:vis $field:ident: $kind:ty $(= $presence:ident)?),+ $(,)?
        }
    )+) => {$(
        $(#[$about])*
        #[derive(Clone, Debug, Default)]
        $visible struct $name { $($(#[$field_about])* $field_visible $field: $kind),+ }

        impl $crate::query::record::Record for $name {
            fn each(&self, visit: &mut dyn FnMut(&str, &dyn $crate::query::record::Field)) {
                $($crate::record!(@each $($presence)?, self.$field, stringify!($field), visit);)+
            }
        }
    )+};
    (@each, $field:expr, $name:expr, $visit:ident) => { $visit($name, &$field) };
    (@each SkipEmpty, $field:expr, $name:expr, $visit:ident) => {
        if !$crate::query::record::is_empty(&$field) {
            $visit($name, &$field)
        }
    };
    (@each Flatten, $field:expr, $name:expr, $visit:ident) => {
        $crate::query::record::Record::each(&$field, $visit)
    };
}

/// How values of these types are written.
macro_rules! field {
    ($($kind:ty: $value:ident => $written:expr;)+) => {$(
        impl Field for $kind {
            fn value(&self) -> FieldValue<'_> {
                let $value = self;
                $written
            }
        }
    )+};
}

field! {
    u8: number => FieldValue::Unsigned((*number).into());
    u16: number => FieldValue::Unsigned((*number).into());
    u32: number => FieldValue::Unsigned((*number).into());
    u64: number => FieldValue::Unsigned(*number);
    f64: number => FieldValue::Float(*number);
    bool: flag => FieldValue::Bool(*flag);
    &str: text => FieldValue::Text(text);
    String: text => FieldValue::Text(text);
    Cow<'static, str>: text => FieldValue::Text(text);
    Date: date => FieldValue::Display(date);
    Month: month => FieldValue::Display(month);
}

impl<T: Record> Field for T {
    fn value(&self) -> FieldValue<'_> {
        FieldValue::Record(self)
    }
}

impl<T: Record> Record for Box<T> {
    fn each(&self, visit: &mut dyn FnMut(&str, &dyn Field)) {
        (**self).each(visit);
    }
}

impl<T: Field> Field for Option<T> {
    fn value(&self) -> FieldValue<'_> {
        self.as_ref().map_or(FieldValue::Absent, T::value)
    }
}

impl<T: Field> Field for Vec<T> {
    fn value(&self) -> FieldValue<'_> {
        FieldValue::List(self)
    }
}

impl<T: Field> List for Vec<T> {
    fn each(&self, visit: &mut dyn FnMut(&dyn Field)) {
        self.iter().for_each(|item| visit(item));
    }
}

impl Record for SmallMap<String, u64> {
    fn each(&self, visit: &mut dyn FnMut(&str, &dyn Field)) {
        self.iter().for_each(|(name, count)| visit(name, count));
    }
}

/// A record without a struct.
impl<const N: usize> Record for [(&str, &dyn Field); N] {
    fn each(&self, visit: &mut dyn FnMut(&str, &dyn Field)) {
        self.iter().for_each(|(name, field)| visit(name, *field));
    }
}

/// Whether the field is false or an empty list.
pub fn is_empty(field: &dyn Field) -> bool {
    let mut is_empty = true;
    match field.value() {
        FieldValue::List(list) => list.each(&mut |_| is_empty = false),
        value => is_empty = matches!(value, FieldValue::Bool(false)),
    }
    is_empty
}
