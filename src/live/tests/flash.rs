//! What a day writes to flash.

use super::*;

/// A busy home: 6,000 attempts of 2,000 sources a day.
#[test]
fn a_busy_home_writes_little_to_flash() {
    let mut router = Router::boot(START, "UTC");
    let mut random = 1u64;
    let mut next = |most: u64| {
        random = random.wrapping_mul(6_364_136_223_846_793_005).wrapping_add(1_442_695_040_888_963_407);
        (random >> 33) % most
    };
    let mut hosts: Vec<u32> = Vec::new();
    let mut worst = 0;
    for day in 0..40 {
        hosts.clear();
        hosts.extend((0..2000).map(|_| next(1 << 32) as u32));
        let mut written = 0;
        for minute in 0..1440 {
            for _ in 0..4 + u64::from(minute % 6 == 0) {
                // Some try much, most once or twice.
                let host = if next(3) == 0 { hosts[next(20) as usize] } else { hosts[next(2000) as usize] };
                let port = [23, 22, 80, 443, 3389, 5060, 8080][next(7) as usize];
                router.packet(host, if next(3) == 0 { next(60_000) as u16 } else { port });
            }
            written = router.storage.written_today(router.engine.date());
            router.pass(60);
            if minute % 60 == 59 && minute != 1439 {
                assert!(router.commit());
            }
        }
        worst = worst.max(written);
        if day < 2 || day == 29 {
            eprintln!("day {day}: {written} bytes written, {} kept", router.storage.bytes);
        }
    }
    assert!(worst <= 200_000, "{worst} bytes in a day");
    let total: u64 =
        router.days().iter().map(|day| day.split(' ').nth(1).unwrap().parse::<u64>().unwrap()).sum();
    assert_eq!(total, 40 * (1440 * 4 + 240));
}
