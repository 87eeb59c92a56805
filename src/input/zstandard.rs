//! A `.zst` file (RFC 8878): frames one after the other, as `zstd`, `pzstd` and appending programs write them.
//!
//! Takes the bytes of a file, gives its text. Skippable frames are left out. A wrong checksum is an error behind the
//! text of its frame.

use std::io::{self, BufRead, BufReader, Read};

use ruzstd::decoding::errors::{FrameDecoderError, ReadFrameHeaderError};
use ruzstd::decoding::{BlockDecodingStrategy, FrameDecoder};

/// Reads all frames of a Zstandard file as one text.
pub(super) struct Zstandard<R> {
    decoder: FrameDecoder,
    source: BufReader<R>,
}

impl<R: Read> Zstandard<R> {
    /// Decompresses `source`.
    pub(super) fn new(source: R) -> Zstandard<R> {
        Zstandard { decoder: FrameDecoder::new(), source: BufReader::new(source) }
    }

    /// Begins the frame behind one that has ended. `false`: there is none.
    fn next_frame(&mut self) -> io::Result<bool> {
        let checksum = self.decoder.get_checksum_from_data();
        if checksum.is_some() && checksum != self.decoder.get_calculated_checksum() {
            return Err(io::Error::other("the zstd data is damaged (wrong checksum)"));
        }
        if self.source.fill_buf()?.is_empty() {
            return Ok(false);
        }
        match self.decoder.init(&mut self.source) {
            Err(FrameDecoderError::ReadFrameHeaderError(ReadFrameHeaderError::SkipFrame {
                length, ..
            })) => {
                io::copy(&mut self.source.by_ref().take(length.into()), &mut io::sink())?;
            }
            begun => begun.map_err(sentence)?,
        }
        Ok(true)
    }
}

impl<R: Read> Read for Zstandard<R> {
    fn read(&mut self, out: &mut [u8]) -> io::Result<usize> {
        while self.decoder.can_collect() == 0 {
            if !self.decoder.is_finished() {
                let block = BlockDecodingStrategy::UptoBlocks(1);
                self.decoder.decode_blocks(&mut self.source, block).map_err(sentence)?;
            } else if !self.next_frame()? {
                return Ok(0);
            }
        }
        self.decoder.read(out)
    }
}

fn sentence(error: FrameDecoderError) -> io::Error {
    io::Error::other(format!("the zstd data is cut off or damaged ({error})"))
}
