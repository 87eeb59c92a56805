//! A record's fields by name: one walk for every way to write or read them, so that no struct needs code of its
//! own for JSON, blobmsg and back.
//!
//! Knows no format. [`record!`](crate::record!) lists the fields of a struct; what each kind of field holds stands here.

use crate::event::calendar::{Date, Month};
use crate::event::small_map::SmallMap;
use std::borrow::Cow;
use std::fmt;

/// What a field holds, for whoever writes it.
pub enum Seen<'a> {
    /// Not measured: the key is left out.
    Absent,
    Null,
    Flag(bool),
    Count(u64),
    Signed(i64),
    Ratio(f64),
    Text(&'a str),
    /// Text as it is displayed.
    Shown(&'a dyn fmt::Display),
    List(&'a dyn List),
    Table(&'a dyn Record),
}

/// Where a field's value goes, for whoever reads it.
pub enum Slot<'a> {
    Flag(&'a mut bool),
    Count(&'a mut dyn Count),
    Ratio(&'a mut f64),
    Text(&'a mut String),
    Parsed(&'a mut dyn Parsed),
    List(&'a mut dyn List),
    Table(&'a mut dyn Record),
    Counts(&'a mut SmallMap<String, u64>),
    Optional(&'a mut dyn Optional),
    /// It is only written.
    Closed,
}

pub trait Field {
    fn seen(&self) -> Seen<'_>;

    fn slot(&mut self) -> Slot<'_> {
        Slot::Closed
    }
}

/// Whether a field must be there.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub enum Need {
    /// Always; but for an `Option`, which is absent when it is `None`.
    Always,
    /// Written always, but an older program did not.
    Lately,
    /// Left out when it is false or empty.
    Rarely,
    /// Its own fields stand where it would.
    Within,
}

pub trait Record {
    /// Its fields in order.
    fn each(&self, visit: &mut dyn FnMut(&str, Need, &dyn Field));

    fn each_mut(&mut self, _visit: &mut dyn FnMut(&str, Need, &mut dyn Field)) {}
}

pub trait List {
    fn each(&self, visit: &mut dyn FnMut(&dyn Field));
    /// One more item, to be filled.
    fn add(&mut self) -> &mut dyn Field;
}

/// A whole number.
pub trait Count {
    /// `false`: it does not fit.
    fn set(&mut self, count: u64) -> bool;
}

/// What has a form as text.
pub trait Parsed {
    /// `false`: the text is none of it.
    fn set(&mut self, text: &str) -> bool;
}

pub trait Optional {
    /// Makes it something, to be filled.
    fn fill(&mut self) -> &mut dyn Field;
}

/// Lists all fields of a struct for [`Record`], with [`Need`] where it is not `Always`:
/// `record! { Row: name, count, dry = Rarely; }`.
#[macro_export]
macro_rules! record {
    ($($name:ident: $($field:ident $(= $need:ident)?),+;)+) => {$(
        impl $crate::query::record::Record for $name {
            fn each(&self, visit: &mut dyn FnMut(&str, $crate::query::record::Need, &dyn $crate::query::record::Field)) {
                let $name { $($field),+ } = self;
                $(visit(stringify!($field), $crate::record!(@need $($need)?), $field);)+
            }

            fn each_mut(
                &mut self,
                visit: &mut dyn FnMut(&str, $crate::query::record::Need, &mut dyn $crate::query::record::Field),
            ) {
                let $name { $($field),+ } = self;
                $(visit(stringify!($field), $crate::record!(@need $($need)?), $field);)+
            }
        }

        impl $crate::query::record::Field for $name {
            fn seen(&self) -> $crate::query::record::Seen<'_> {
                $crate::query::record::Seen::Table(self)
            }

            fn slot(&mut self) -> $crate::query::record::Slot<'_> {
                $crate::query::record::Slot::Table(self)
            }
        }
    )+};
    (@need) => { $crate::query::record::Need::Always };
    (@need $need:ident) => { $crate::query::record::Need::$need };
}

macro_rules! counts {
    ($($kind:ty),+) => {$(
        impl Field for $kind {
            fn seen(&self) -> Seen<'_> {
                Seen::Count((*self).into())
            }

            fn slot(&mut self) -> Slot<'_> {
                Slot::Count(self)
            }
        }

        impl Count for $kind {
            fn set(&mut self, count: u64) -> bool {
                <$kind>::try_from(count).map(|count| *self = count).is_ok()
            }
        }
    )+};
}

counts!(u8, u16, u32, u64);

impl Field for bool {
    fn seen(&self) -> Seen<'_> {
        Seen::Flag(*self)
    }

    fn slot(&mut self) -> Slot<'_> {
        Slot::Flag(self)
    }
}

impl Field for f64 {
    fn seen(&self) -> Seen<'_> {
        Seen::Ratio(*self)
    }

    fn slot(&mut self) -> Slot<'_> {
        Slot::Ratio(self)
    }
}

impl Field for &str {
    fn seen(&self) -> Seen<'_> {
        Seen::Text(self)
    }
}

impl Field for String {
    fn seen(&self) -> Seen<'_> {
        Seen::Text(self)
    }

    fn slot(&mut self) -> Slot<'_> {
        Slot::Text(self)
    }
}

impl Field for Cow<'static, str> {
    fn seen(&self) -> Seen<'_> {
        Seen::Text(self)
    }

    fn slot(&mut self) -> Slot<'_> {
        Slot::Text(self.to_mut())
    }
}

impl<T: Field> Field for Box<T> {
    fn seen(&self) -> Seen<'_> {
        (**self).seen()
    }

    fn slot(&mut self) -> Slot<'_> {
        (**self).slot()
    }
}

impl<T: Field + Default> Field for Option<T> {
    fn seen(&self) -> Seen<'_> {
        self.as_ref().map_or(Seen::Absent, T::seen)
    }

    fn slot(&mut self) -> Slot<'_> {
        Slot::Optional(self)
    }
}

impl<T: Field + Default> Optional for Option<T> {
    fn fill(&mut self) -> &mut dyn Field {
        self.insert(T::default())
    }
}

impl<T: Field + Default> Field for Vec<T> {
    fn seen(&self) -> Seen<'_> {
        Seen::List(self)
    }

    fn slot(&mut self) -> Slot<'_> {
        Slot::List(self)
    }
}

impl<T: Field + Default> List for Vec<T> {
    fn each(&self, visit: &mut dyn FnMut(&dyn Field)) {
        self.iter().for_each(|item| visit(item));
    }

    fn add(&mut self) -> &mut dyn Field {
        let last = self.len();
        self.push(T::default());
        &mut self[last]
    }
}

impl Field for SmallMap<String, u64> {
    fn seen(&self) -> Seen<'_> {
        Seen::Table(self)
    }

    fn slot(&mut self) -> Slot<'_> {
        Slot::Counts(self)
    }
}

impl Record for SmallMap<String, u64> {
    fn each(&self, visit: &mut dyn FnMut(&str, Need, &dyn Field)) {
        self.iter().for_each(|(name, count)| visit(name, Need::Always, count));
    }
}

/// Fields put together where they are written.
impl Record for [(&str, &dyn Field)] {
    fn each(&self, visit: &mut dyn FnMut(&str, Need, &dyn Field)) {
        self.iter().for_each(|(name, field)| visit(name, Need::Always, *field));
    }
}

impl<const N: usize> Record for [(&str, &dyn Field); N] {
    fn each(&self, visit: &mut dyn FnMut(&str, Need, &dyn Field)) {
        self.as_slice().each(visit);
    }
}

/// The fields that are to be written, those of [`Need::Within`] in their place.
pub fn each_written(record: &dyn Record, visit: &mut dyn FnMut(&str, Seen<'_>)) {
    record.each(&mut |name, need, field| match (need, field.seen()) {
        (Need::Within, Seen::Table(inner)) => each_written(inner, visit),
        (_, Seen::Absent) | (Need::Rarely, Seen::Flag(false)) => {}
        (Need::Rarely, Seen::List(list)) if is_empty(list) => {}
        (_, seen) => visit(name, seen),
    });
}

fn is_empty(list: &dyn List) -> bool {
    let mut empty = true;
    list.each(&mut |_| empty = false);
    empty
}

macro_rules! text {
    ($($kind:ident),+) => {$(
        impl Field for $kind {
            fn seen(&self) -> Seen<'_> {
                Seen::Shown(self)
            }

            fn slot(&mut self) -> Slot<'_> {
                Slot::Parsed(self)
            }
        }

        impl Parsed for $kind {
            fn set(&mut self, text: &str) -> bool {
                $kind::parse(text).map(|read| *self = read).is_some()
            }
        }
    )+};
}

text!(Date, Month);
