//! Directories of batches, on a real file system.

use super::*;

struct Place(PathBuf, Spool);

impl Place {
    fn new(name: &str) -> Place {
        let place = std::env::temp_dir().join(format!("fwstat-fleet-{name}-{}", std::process::id()));
        let _ = fs::remove_dir_all(&place);
        let spool = Spool::new(&place.join("run"), &place.join("db"));
        Place(place, spool)
    }

    fn put(&self, date: i32, sent: i64, text: &[u8]) {
        self.1.write(Date(date), sent, |out| out.write_all(text)).unwrap();
    }

    /// All names, those on flash with a `*`.
    fn names(&self) -> Vec<String> {
        let mut names = Vec::new();
        for (mark, directory) in [("", &self.1.ram), ("*", &self.1.flash)] {
            for file in fs::read_dir(directory).into_iter().flatten().flatten() {
                names.push(format!("{}{mark}", file.file_name().to_str().unwrap()));
            }
        }
        names.sort();
        names
    }
}

impl Drop for Place {
    fn drop(&mut self) {
        let _ = fs::remove_dir_all(&self.0);
    }
}

/// Text that gzip cannot make smaller.
fn noise(bytes: usize) -> Vec<u8> {
    let mut state = 1u64;
    (0..bytes)
        .map(|_| {
            state = state.wrapping_mul(6_364_136_223_846_793_005).wrapping_add(1_442_695_040_888_963_407);
            (state >> 33) as u8
        })
        .collect()
}

#[test]
fn a_batch_is_made_in_ram_and_a_small_one_goes_to_flash() {
    let place = Place::new("moves");
    place.put(20_784, 1_795_800_000, b"a line\n");
    place.put(20_785, 1_795_886_400, &noise(MAX_FLASH_BYTES as usize + 1));
    let newest = place.1.newest(Date(20_784)).unwrap();
    let mut text = String::new();
    Spool::read(&newest).unwrap().read_to_string(&mut text).unwrap();
    assert_eq!((text.as_str(), newest.on_flash), ("a line\n", false));
    let written = place.1.move_to_flash().unwrap();
    assert_eq!(written, newest.bytes);
    let expected = [
        "2026-11-27-1795800000.ndjson.gz*",
        "2026-11-28-1795886400.ndjson.gz",
        "made-2026-11-27-1795800000.ndjson.gz*",
        "made-2026-11-28-1795886400.ndjson.gz",
    ];
    assert_eq!(place.names(), expected);
    let usage = place.1.usage();
    assert_eq!((usage.waiting, usage.refused), (2, 0));
    // A file with two names takes its bytes once.
    assert!(usage.bytes < MAX_FLASH_BYTES + 1000, "{usage:?}");
    assert_eq!(place.1.move_to_flash().unwrap(), 0);
}

#[test]
fn a_correction_takes_the_place_of_what_waits_and_of_nothing_else() {
    let place = Place::new("corrections");
    place.put(20_784, 1_795_800_000, b"1");
    place.put(20_785, 1_795_886_400, b"other");
    place.1.move_to_flash().unwrap();
    fs::write(place.1.flash.join("2026-11-27-1795790000.ndjson.gz.bad"), "").unwrap();
    place.put(20_784, 1_795_800_600, b"2");
    // The one on flash may be sent until the correction is there, too.
    assert!(place.names().contains(&"2026-11-27-1795800000.ndjson.gz*".to_string()));
    place.put(20_784, 1_795_800_700, b"3");
    assert_eq!(place.1.newest(Date(20_784)).unwrap().sent, 1_795_800_700);
    place.1.move_to_flash().unwrap();
    let expected = [
        "2026-11-27-1795790000.ndjson.gz.bad*",
        "2026-11-27-1795800700.ndjson.gz*",
        "2026-11-28-1795886400.ndjson.gz*",
        "made-2026-11-27-1795800700.ndjson.gz*",
        "made-2026-11-28-1795886400.ndjson.gz*",
    ];
    assert_eq!(place.names(), expected);
    // Sent: what a correction is made from stays.
    fs::remove_file(place.1.flash.join("2026-11-27-1795800700.ndjson.gz")).unwrap();
    let newest = place.1.newest(Date(20_784)).unwrap();
    assert_eq!((newest.kind, newest.sent), (Kind::Made, 1_795_800_700));
}

#[test]
fn what_is_too_old_or_too_much_goes_oldest_first_and_is_counted() {
    let place = Place::new("bounds");
    for day in 0..30 {
        place.put(20_700 + day, 1_795_000_000 + i64::from(day), &noise(60_000));
        place.1.move_to_flash().unwrap();
        place.1.prune(Date(0));
    }
    let waiting: Vec<Date> = place
        .1
        .entries()
        .into_iter()
        .filter(|entry| entry.kind == Kind::Waiting)
        .map(|entry| entry.date)
        .collect();
    assert!(place.1.usage().bytes <= ROOM.1 && waiting.len() == 8, "{waiting:?}");
    assert_eq!(waiting.last(), Some(&Date(20_729)));
    assert_eq!(place.1.prune(Date(20_725)), 3);
    assert_eq!(place.1.usage().waiting, 5);
    // In tmpfs as well.
    for day in 0..30 {
        place.put(20_730 + day, 1_796_000_000 + i64::from(day), &noise(100_000));
    }
    assert!(place.1.prune(Date(20_730)) >= 20);
    assert!(place.1.usage().bytes <= ROOM.0);
    // What was refused is no better than what waits.
    let entry = &place.1.entries().into_iter().find(|entry| entry.kind == Kind::Waiting).unwrap();
    fs::rename(&entry.path, format!("{}.bad", entry.path.display())).unwrap();
    place.put(20_760, 1_796_000_030, &noise(100_000));
    assert_eq!(place.1.prune(Date(20_730)), 1);
    assert_eq!(place.1.usage().refused, 0);
    // Of what was sent nothing is lost.
    for entry in place.1.entries().iter().filter(|entry| entry.kind == Kind::Waiting) {
        fs::remove_file(&entry.path).unwrap();
    }
    assert_eq!(place.1.prune(Date(30_000)), 0);
    assert_eq!(place.names(), Vec::<String>::new());
}

#[test]
fn what_fails_leaves_nothing_behind() {
    let place = Place::new("fails");
    place.put(20_784, 1_795_800_000, b"1");
    let broken = place.1.write(Date(20_784), 1_795_800_600, |out| {
        out.write_all(b"half")?;
        Err(io::Error::other("no"))
    });
    assert!(broken.is_err());
    let expected = ["2026-11-27-1795800000.ndjson.gz", "made-2026-11-27-1795800000.ndjson.gz"];
    assert_eq!(place.names(), expected);
    fs::create_dir_all(place.1.flash.parent().unwrap()).unwrap();
    fs::write(&place.1.flash, "").unwrap();
    assert!(place.1.move_to_flash().is_err());
    assert_eq!(place.names(), expected);
}

#[test]
fn what_the_sender_could_put_there_is_not_believed() {
    let place = Place::new("hostile");
    fs::create_dir_all(&place.1.ram).unwrap();
    let secret = place.0.join("secret");
    fs::write(&secret, "secret").unwrap();
    std::os::unix::fs::symlink(&secret, place.1.ram.join("2026-11-27-1795800000.ndjson.gz")).unwrap();
    std::os::unix::fs::symlink(&secret, place.1.ram.join("sender.json")).unwrap();
    nix::unistd::mkfifo(&place.1.ram.join("2026-11-26-1795700000.ndjson.gz"), nix::sys::stat::Mode::S_IRWXU)
        .unwrap();
    fs::create_dir(place.1.ram.join("2026-11-25-1795600000.ndjson.gz")).unwrap();
    for name in [
        "x-1.ndjson.gz",
        "2026-11-27-.ndjson.gz",
        "2026-11-27--1.ndjson.gz",
        "2026-13-27-1.ndjson.gz",
        "\u{e9}",
    ] {
        fs::write(place.1.ram.join(name), "").unwrap();
    }
    assert!(place.1.entries().is_empty() && place.1.sender().is_none());
    assert_eq!(place.1.move_to_flash().unwrap(), 0);
    assert_eq!(place.1.prune(Date(30_000)), 0);
    fs::remove_file(place.1.ram.join("sender.json")).unwrap();
    fs::write(place.1.ram.join("sender.json"), format!("{{\"state\":\"{}\"}}", "x".repeat(2000))).unwrap();
    assert!(place.1.sender().is_none());
    fs::write(place.1.ram.join("sender.json"), "{\"state\":\"idle\",\"answer\":204,\"last_sent\":5}")
        .unwrap();
    assert_eq!(place.1.sender().unwrap()["answer"], 204);
}
