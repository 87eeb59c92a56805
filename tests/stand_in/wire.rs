//! The bare protocol, written without the parts under test: one message at a time, waiting for each.

use std::io::{self, Read, Write};
use std::os::unix::net::UnixStream;
use std::path::Path;

use ubus::envelope::{EnvBuilder, UbusAttr, find};
use ubus::wire::{Codec, Frame, MsgType};

pub struct Wire {
    stream: UnixStream,
    sequence: u16,
    pub client: u32,
}

impl Wire {
    pub fn connect(socket: &Path) -> io::Result<Wire> {
        let mut wire = Wire { stream: UnixStream::connect(socket)?, sequence: 0, client: 0 };
        let hello = wire.receive()?;
        assert_eq!(hello.hdr.ty, MsgType::Hello);
        wire.client = hello.hdr.peer;
        Ok(wire)
    }

    pub fn try_clone(&self) -> io::Result<Wire> {
        Ok(Wire { stream: self.stream.try_clone()?, sequence: 10_000, client: self.client })
    }

    pub fn shutdown(&self) {
        let _ = self.stream.shutdown(std::net::Shutdown::Both);
    }

    pub fn receive(&mut self) -> io::Result<Frame> {
        let mut bytes = vec![0; 12];
        self.stream.read_exact(&mut bytes)?;
        let length = u32::from_be_bytes([0, bytes[9], bytes[10], bytes[11]]) as usize;
        bytes.resize(8 + length, 0);
        self.stream.read_exact(&mut bytes[12..])?;
        Ok(Codec::read_frame(&bytes).map_err(io::Error::other)?.0)
    }

    pub fn send(&mut self, frame: &Frame) -> io::Result<()> {
        self.stream.write_all(&Codec::write_frame(frame))
    }

    /// Sends a request; gives its sequence number.
    pub fn ask(&mut self, kind: MsgType, peer: u32, attributes: EnvBuilder) -> io::Result<u16> {
        self.sequence = self.sequence.wrapping_add(1);
        self.send(&Frame::to_peer(kind, self.sequence, peer, attributes.finish()))?;
        Ok(self.sequence)
    }

    /// Answers a call with data and success; whoever called may be gone.
    pub fn answer(&mut self, call: &Frame, object: u32, contents: &[u8]) {
        let reply = |kind, attribute: &dyn Fn(&mut EnvBuilder)| {
            let mut attributes = EnvBuilder::new();
            attribute(&mut attributes);
            attributes.push_u32(UbusAttr::ObjId, object);
            Frame::to_peer(kind, call.hdr.seq, call.hdr.peer, attributes.finish())
        };
        let _ = self.send(&reply(MsgType::Data, &|out| out.push_data(contents)));
        let _ = self.send(&reply(MsgType::Status, &|out| out.push_i32(UbusAttr::Status, 0)));
    }

    /// The data of the answers to `sequence`, and its status.
    pub fn answers(&mut self, sequence: u16) -> io::Result<(Vec<Frame>, i32)> {
        let mut answers = Vec::new();
        loop {
            let frame = self.receive()?;
            if frame.hdr.seq != sequence {
                continue;
            }
            match frame.hdr.ty {
                MsgType::Status => {
                    let status = find(&frame.payload, UbusAttr::Status).unwrap().as_u32().unwrap();
                    return Ok((answers, status as i32));
                }
                MsgType::Data => answers.push(frame),
                _ => {}
            }
        }
    }

    /// Registers an object, named or not; gives its id.
    pub fn add_object(&mut self, path: Option<&str>) -> io::Result<u32> {
        let mut attributes = EnvBuilder::new();
        if let Some(path) = path {
            attributes.push_str(UbusAttr::ObjPath, path);
            attributes.push_signature(&[]);
        }
        let sequence = self.ask(MsgType::AddObject, 0, attributes)?;
        let (answers, status) = self.answers(sequence)?;
        assert_eq!(status, 0, "add_object {path:?}");
        Ok(number(&answers[0], UbusAttr::ObjId))
    }

    pub fn lookup(&mut self, path: &str) -> io::Result<Option<Frame>> {
        let mut attributes = EnvBuilder::new();
        attributes.push_str(UbusAttr::ObjPath, path);
        let sequence = self.ask(MsgType::Lookup, 0, attributes)?;
        Ok(self.answers(sequence)?.0.pop())
    }

    /// Sends a call without waiting for what comes of it.
    pub fn invoke(&mut self, object: u32, method: &str, arguments: &[u8]) -> io::Result<u16> {
        let mut attributes = EnvBuilder::new();
        attributes.push_u32(UbusAttr::ObjId, object);
        attributes.push_str(UbusAttr::Method, method);
        attributes.push_data(arguments);
        self.ask(MsgType::Invoke, object, attributes)
    }
}

pub fn number(frame: &Frame, attribute: UbusAttr) -> u32 {
    find(&frame.payload, attribute).and_then(|attribute| attribute.as_u32()).unwrap()
}

pub fn text(frame: &Frame, attribute: UbusAttr) -> String {
    find(&frame.payload, attribute).and_then(|attribute| attribute.as_str()).unwrap().to_owned()
}

pub fn data(frame: &Frame, attribute: UbusAttr) -> &[u8] {
    find(&frame.payload, attribute).map_or(&[], |attribute| attribute.payload)
}
