//! What serde can write -> a blobmsg table, without a tree of values in between: an answer of a thousand rows
//! takes its own length of memory and no more.

use std::fmt;

use serde::ser::{self, Serialize, Serializer};
use ubus::blobmsg::{BlobBuilder, BlobMsgTable};

/// The longest key that is written.
const MAX_KEY: usize = 256;

/// The value is no table, or has keys that are no text.
#[derive(Clone, PartialEq, Eq, Debug)]
pub struct NotATable(String);

impl fmt::Display for NotATable {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(&self.0)
    }
}

impl std::error::Error for NotATable {}

impl ser::Error for NotATable {
    fn custom<T: fmt::Display>(message: T) -> NotATable {
        NotATable(message.to_string())
    }
}

/// The table of a struct's or map's keys. A key without a value is left out; integers are 32 bits wide when they
/// fit, else 64 (and at most what a signed one holds).
pub fn table(value: &impl Serialize) -> Result<BlobMsgTable, NotATable> {
    let mut outcome = Ok(());
    let table = BlobMsgTable::build(|out| outcome = value.serialize(Put { out, place: Place::Top }));
    outcome.map(|()| table)
}

#[derive(Clone, Copy)]
enum Place<'a> {
    /// The table itself, which is open already.
    Top,
    Item,
    Key(&'a str),
}

struct Put<'a> {
    out: &'a mut BlobBuilder,
    place: Place<'a>,
}

type Written = Result<(), NotATable>;

impl<'a> Put<'a> {
    fn name(&self) -> Result<Option<&'a str>, NotATable> {
        match self.place {
            Place::Top => Err(NotATable(String::from("an answer is a table, not a single value"))),
            Place::Item => Ok(None),
            Place::Key(key) => Ok(Some(key)),
        }
    }

    fn integer(self, number: i64) -> Written {
        let name = self.name()?;
        match i32::try_from(number) {
            Ok(small) => self.out.put_i32(name, small),
            Err(_) => self.out.put_i64(name, number),
        }
        Ok(())
    }

    fn open_array(self) -> Result<Open<'a>, NotATable> {
        let name = self.name()?;
        self.out.open_array(name);
        Ok(Open { out: self.out, key: None, close: BlobBuilder::close_array })
    }

    fn open_table(self) -> Open<'a> {
        let close = match self.name() {
            Ok(name) => {
                self.out.open_table(name);
                BlobBuilder::close_table
            }
            Err(_) => |_: &mut BlobBuilder| {},
        };
        Open { out: self.out, key: None, close }
    }
}

/// A table or an array that is being filled.
struct Open<'a> {
    out: &'a mut BlobBuilder,
    key: Option<String>,
    close: fn(&mut BlobBuilder),
}

impl Open<'_> {
    fn item<T: ?Sized + Serialize>(&mut self, value: &T) -> Written {
        value.serialize(Put { out: self.out, place: Place::Item })
    }

    fn entry<T: ?Sized + Serialize>(&mut self, key: &str, value: &T) -> Written {
        if key.len() > MAX_KEY {
            return Ok(());
        }
        value.serialize(Put { out: self.out, place: Place::Key(key) })
    }

    fn closed(self) -> Written {
        (self.close)(self.out);
        Ok(())
    }
}

impl<'a> Serializer for Put<'a> {
    type Ok = ();
    type Error = NotATable;
    type SerializeSeq = Open<'a>;
    type SerializeTuple = Open<'a>;
    type SerializeTupleStruct = Open<'a>;
    type SerializeTupleVariant = ser::Impossible<(), NotATable>;
    type SerializeMap = Open<'a>;
    type SerializeStruct = Open<'a>;
    type SerializeStructVariant = ser::Impossible<(), NotATable>;

    fn serialize_bool(self, flag: bool) -> Written {
        let name = self.name()?;
        self.out.put_bool(name, flag);
        Ok(())
    }

    fn serialize_i8(self, number: i8) -> Written {
        self.integer(number.into())
    }

    fn serialize_i16(self, number: i16) -> Written {
        self.integer(number.into())
    }

    fn serialize_i32(self, number: i32) -> Written {
        self.integer(number.into())
    }

    fn serialize_i64(self, number: i64) -> Written {
        self.integer(number)
    }

    fn serialize_u8(self, number: u8) -> Written {
        self.integer(number.into())
    }

    fn serialize_u16(self, number: u16) -> Written {
        self.integer(number.into())
    }

    fn serialize_u32(self, number: u32) -> Written {
        self.integer(number.into())
    }

    fn serialize_u64(self, number: u64) -> Written {
        self.integer(i64::try_from(number).unwrap_or(i64::MAX))
    }

    fn serialize_f32(self, number: f32) -> Written {
        self.serialize_f64(number.into())
    }

    fn serialize_f64(self, number: f64) -> Written {
        let name = self.name()?;
        self.out.put_double(name, number);
        Ok(())
    }

    fn serialize_char(self, letter: char) -> Written {
        self.serialize_str(letter.encode_utf8(&mut [0; 4]))
    }

    fn serialize_str(self, text: &str) -> Written {
        let name = self.name()?;
        self.out.put_str(name, text);
        Ok(())
    }

    fn serialize_bytes(self, bytes: &[u8]) -> Written {
        self.collect_seq(bytes)
    }

    fn serialize_none(self) -> Written {
        self.serialize_unit()
    }

    fn serialize_some<T: ?Sized + Serialize>(self, value: &T) -> Written {
        value.serialize(self)
    }

    fn serialize_unit(self) -> Written {
        if matches!(self.place, Place::Item) {
            self.out.put_null(None);
        }
        Ok(())
    }

    fn serialize_unit_struct(self, _: &'static str) -> Written {
        self.serialize_unit()
    }

    fn serialize_unit_variant(self, _: &'static str, _: u32, variant: &'static str) -> Written {
        self.serialize_str(variant)
    }

    fn serialize_newtype_struct<T: ?Sized + Serialize>(self, _: &'static str, value: &T) -> Written {
        value.serialize(self)
    }

    fn serialize_newtype_variant<T: ?Sized + Serialize>(
        self,
        _: &'static str,
        _: u32,
        variant: &'static str,
        value: &T,
    ) -> Written {
        let mut open = self.open_table();
        open.entry(variant, value)?;
        open.closed()
    }

    fn serialize_seq(self, _: Option<usize>) -> Result<Open<'a>, NotATable> {
        self.open_array()
    }

    fn serialize_tuple(self, _: usize) -> Result<Open<'a>, NotATable> {
        self.open_array()
    }

    fn serialize_tuple_struct(self, _: &'static str, _: usize) -> Result<Open<'a>, NotATable> {
        self.open_array()
    }

    fn serialize_tuple_variant(
        self,
        name: &'static str,
        _: u32,
        _: &'static str,
        _: usize,
    ) -> Result<Self::SerializeTupleVariant, NotATable> {
        Err(NotATable(format!("{name} has no form in blobmsg")))
    }

    fn serialize_map(self, _: Option<usize>) -> Result<Open<'a>, NotATable> {
        Ok(self.open_table())
    }

    fn serialize_struct(self, _: &'static str, _: usize) -> Result<Open<'a>, NotATable> {
        Ok(self.open_table())
    }

    fn serialize_struct_variant(
        self,
        name: &'static str,
        _: u32,
        _: &'static str,
        _: usize,
    ) -> Result<Self::SerializeStructVariant, NotATable> {
        Err(NotATable(format!("{name} has no form in blobmsg")))
    }
}

macro_rules! items {
    ($kind:path, $method:ident) => {
        impl $kind for Open<'_> {
            type Ok = ();
            type Error = NotATable;

            fn $method<T: ?Sized + Serialize>(&mut self, value: &T) -> Written {
                self.item(value)
            }

            fn end(self) -> Written {
                self.closed()
            }
        }
    };
}

items!(ser::SerializeSeq, serialize_element);
items!(ser::SerializeTuple, serialize_element);
items!(ser::SerializeTupleStruct, serialize_field);

impl ser::SerializeStruct for Open<'_> {
    type Ok = ();
    type Error = NotATable;

    fn serialize_field<T: ?Sized + Serialize>(&mut self, key: &'static str, value: &T) -> Written {
        self.entry(key, value)
    }

    fn end(self) -> Written {
        self.closed()
    }
}

impl ser::SerializeMap for Open<'_> {
    type Ok = ();
    type Error = NotATable;

    fn serialize_key<T: ?Sized + Serialize>(&mut self, key: &T) -> Written {
        match serde_json::to_value(key) {
            Ok(serde_json::Value::String(key)) => self.key = Some(key),
            _ => return Err(NotATable(String::from("a key is text"))),
        }
        Ok(())
    }

    fn serialize_value<T: ?Sized + Serialize>(&mut self, value: &T) -> Written {
        let key = self.key.take().unwrap_or_default();
        self.entry(&key, value)
    }

    fn end(self) -> Written {
        self.closed()
    }
}
