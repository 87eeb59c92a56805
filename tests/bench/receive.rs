//! What `tests/bench/nflog` compares the daemon with: a loop that only receives, or one that also parses.
//!
//!     receive bare|parse GROUP PACKETS    prints packets, losses and CPU seconds as JSON

use std::time::{Duration, Instant};

use fwstat::input::Counters;
use fwstat::input::nflog::NflogReader;
use fwstat::parse::nflog::listen;
use fwstat::sys::netlink::Netlink;
use fwstat::sys::wait::{readable, wait};
use nix::time::{ClockId, clock_gettime};
use std::os::fd::AsFd;

fn main() {
    let arguments: Vec<String> = std::env::args().collect();
    let group: u16 = arguments[2].parse().expect("a group");
    let packets: u64 = arguments[3].parse().expect("a number of packets");
    let (received, lost) = if arguments[1] == "bare" { bare(group, packets) } else { parse(group, packets) };
    let cpu =
        clock_gettime(ClockId::CLOCK_PROCESS_CPUTIME_ID).map_or(Duration::ZERO, Duration::from).as_secs_f64();
    println!("{{\"received\": {received}, \"lost\": {lost}, \"cpu\": {cpu:.4}}}");
}

/// Counts messages by their lengths, looks at nothing else.
fn bare(group: u16, packets: u64) -> (u64, u64) {
    let socket = Netlink::netfilter(0).unwrap();
    socket.set_receive_buffer(2 << 20).unwrap();
    socket.send(&listen(group, 1)).unwrap();
    eprintln!("ready");
    let mut buffer = vec![0; 16 << 10];
    let (mut received, mut last) = (0u64, Instant::now());
    while received < packets && last.elapsed() < Duration::from_secs(3) {
        wait(&mut [readable(socket.as_fd())], Some(Duration::from_millis(200))).unwrap();
        while let Some(datagram) = socket.receive(&mut buffer).unwrap_or(None) {
            let mut rest = &buffer[..datagram.length.min(buffer.len())];
            while let Some(head) = rest.first_chunk::<6>() {
                let length = u32::from_ne_bytes([head[0], head[1], head[2], head[3]]) as usize;
                received += u64::from(u16::from_ne_bytes([head[4], head[5]]) == 0x0400);
                rest = rest.get(length.next_multiple_of(4).max(16)..).unwrap_or_default();
            }
            last = Instant::now();
        }
    }
    (received, packets.saturating_sub(received))
}

/// Address, port and sequence number of each packet.
fn parse(group: u16, packets: u64) -> (u64, u64) {
    let mut reader = NflogReader::open(group, Counters::default()).unwrap();
    eprintln!("ready");
    let (mut sum, mut last) = (0u64, Instant::now());
    let done = |reader: &NflogReader| reader.counters.received + reader.counters.lost >= packets;
    while !done(&reader) && last.elapsed() < Duration::from_secs(3) {
        if wait(&mut [readable(reader.fd())], Some(Duration::from_millis(200))).unwrap() > 0 {
            let mut each = |record: &fwstat::input::nflog::NflogRecord<'_>| {
                sum = sum.wrapping_add(record.packet.source.low ^ u64::from(record.packet.port));
            };
            reader.read(2048, &mut each).unwrap();
            last = Instant::now();
        }
    }
    std::hint::black_box(sum);
    (reader.counters.received, reader.counters.lost)
}
