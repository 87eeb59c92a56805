//! Received bytes -> complete messages. Buffers an incomplete message until the rest arrives. Bounded by the longest
//! message.

use ubus::wire::{HEADER_SIZE, PROTO_VERSION};

use super::MAX_MESSAGE;

/// Bytes of the empty buffer.
const USUAL: usize = 64 * 1024;
/// The header and the length of what follows.
const MIN_MESSAGE: usize = HEADER_SIZE + 4;

/// A complete message: its header's fields and its attributes.
#[derive(Clone, Copy, Debug)]
pub struct Frame<'a> {
    /// See [`ubus::wire::MsgType`].
    pub kind: u8,
    pub sequence: u16,
    /// The peer's id; 0: the broker.
    pub peer: u32,
    pub attributes: &'a [u8],
}

/// The receive buffer: bytes in, complete messages out.
#[derive(Debug)]
pub struct Inbox {
    bytes: Vec<u8>,
    start: usize,
    end: usize,
}

impl Default for Inbox {
    fn default() -> Inbox {
        Inbox { bytes: vec![0; USUAL], start: 0, end: 0 }
    }
}

impl Inbox {
    /// Space for the next read, never empty; pass the number of bytes read to [`Inbox::filled`].
    pub fn space(&mut self) -> &mut [u8] {
        if self.start > 0 {
            self.bytes.copy_within(self.start..self.end, 0);
            (self.start, self.end) = (0, self.end - self.start);
        }
        if self.end == 0 && self.bytes.len() > USUAL {
            self.bytes = vec![0; USUAL];
        } else if self.bytes.len() - self.end < USUAL / 2 {
            self.bytes.resize(self.end + USUAL, 0);
        }
        &mut self.bytes[self.end..]
    }

    /// Adds the first `count` bytes of [`Inbox::space`] to what was received.
    pub fn filled(&mut self, count: usize) {
        self.end = (self.end + count).min(self.bytes.len());
    }

    /// The next message if it is complete. An error is a sentence: the peer does not speak ubus, or message boundaries
    /// are lost, and nothing after this can be parsed.
    pub fn next_frame(&mut self) -> Result<Option<Frame<'_>>, &'static str> {
        let waiting = &self.bytes[self.start..self.end];
        let Some(header) = waiting.first_chunk::<MIN_MESSAGE>() else {
            return Ok(None);
        };
        if header[0] != PROTO_VERSION {
            return Err("unknown protocol version");
        }
        let length = u32::from_be_bytes([0, header[9], header[10], header[11]]) as usize;
        if length < 4 {
            return Err("a message shorter than its header");
        }
        if length > MAX_MESSAGE {
            return Err("a message longer than 1 MiB");
        }
        let whole = HEADER_SIZE + length;
        if waiting.len() < whole {
            return Ok(None);
        }
        let at = self.start;
        self.start += whole;
        Ok(Some(Frame {
            kind: header[1],
            sequence: u16::from_be_bytes([header[2], header[3]]),
            peer: u32::from_be_bytes([header[4], header[5], header[6], header[7]]),
            attributes: &self.bytes[at + MIN_MESSAGE..at + whole],
        }))
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use proptest::prelude::*;

    fn message(kind: u8, sequence: u16, body: &[u8]) -> Vec<u8> {
        let mut bytes = vec![0, kind];
        bytes.extend(sequence.to_be_bytes());
        bytes.extend(7u32.to_be_bytes());
        bytes.extend((body.len() as u32 + 4).to_be_bytes());
        bytes.extend(body);
        bytes
    }

    fn feed(inbox: &mut Inbox, mut bytes: &[u8], most: usize, mut each: impl FnMut(Frame<'_>)) {
        while !bytes.is_empty() {
            let space = inbox.space();
            let count = space.len().min(bytes.len()).min(most);
            space[..count].copy_from_slice(&bytes[..count]);
            inbox.filled(count);
            bytes = &bytes[count..];
            while let Some(frame) = inbox.next_frame().unwrap() {
                each(frame);
            }
        }
    }

    #[test]
    fn a_declared_length_above_the_limit_is_refused_before_room_is_made_for_it() {
        let mut inbox = Inbox::default();
        let mut bytes = message(1, 1, b"");
        bytes[9..12].copy_from_slice(&[0x10, 0x00, 0x01]);
        inbox.space()[..12].copy_from_slice(&bytes);
        inbox.filled(12);
        assert_eq!(inbox.next_frame().unwrap_err(), "a message longer than 1 MiB");
        assert_eq!(inbox.bytes.len(), USUAL);
    }

    #[test]
    fn the_longest_message_fits_and_its_room_is_given_back() {
        let mut inbox = Inbox::default();
        let mut seen = Vec::new();
        let body = vec![5; MAX_MESSAGE - 4];
        feed(&mut inbox, &message(2, 9, &body), 10_000, |frame| {
            assert_eq!(frame.attributes, body);
            seen.push(frame.sequence);
        });
        assert_eq!(seen, [9]);
        inbox.space();
        assert_eq!(inbox.bytes.len(), USUAL);
    }

    proptest! {
        #[test]
        fn any_split_of_the_bytes_gives_the_same_messages(
            bodies in proptest::collection::vec(proptest::collection::vec(any::<u8>(), 0..3000), 1..40),
            most in 1usize..5000,
        ) {
            let bytes: Vec<u8> = bodies.iter().enumerate().flat_map(|(i, body)| message(2, i as u16, body)).collect();
            let mut inbox = Inbox::default();
            let mut got = Vec::new();
            feed(&mut inbox, &bytes, most, |frame| {
                assert_eq!((frame.kind, frame.peer, frame.sequence as usize), (2, 7, got.len()));
                got.push(frame.attributes.to_vec());
            });
            prop_assert_eq!(got, bodies);
        }
    }
}
