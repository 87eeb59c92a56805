use super::*;

fn read(logins: &mut Logins, name: &str, message: &str) -> String {
    read_at(logins, name, 9, 1000, message)
}

fn read_at(logins: &mut Logins, name: &str, pid: u32, time: i64, message: &str) -> String {
    let tag = Tag { name: name.as_bytes(), pid: Some(pid) };
    match logins.read(tag, message.as_bytes(), time) {
        Some((_, Event { source, source_port, port, count: 1, .. })) => {
            format!("{source} {source_port} {port}")
        }
        Some((_, login)) => format!("{} {} {} x{}", login.source, login.source_port, login.port, login.count),
        None => "none".to_string(),
    }
}

#[test]
fn each_daemon_in_its_words() {
    for (name, message, expected) in [
        ("dropbear", "Bad password attempt for 'root' from 192.0.2.1:4022", "192.0.2.1 4022 22"),
        ("dropbear", "Bad password attempt for 'root' from 2001:db8::5:4022", "2001:db8::5 4022 22"),
        ("dropbear", "Bad password attempt for 'root' from ::ffff:192.0.2.1:4022", "192.0.2.1 4022 22"),
        (
            "dropbear",
            "Bad password attempt for 'x' from 198.51.100.7:22' from 192.0.2.1:4022",
            "192.0.2.1 4022 22",
        ),
        ("dropbear", "Bad password attempt for 'root' from 192.0.2.1:4022 trailing", "none"),
        ("dropbear", "Bad password attempt for 'root' from 192.0.2.1", "none"),
        ("dropbear", "Bad password attempt for 'root' from 192.0.2.1:99999", "none"),
        ("dropbear", "Login attempt for nonexistent user from 192.0.2.1:4022", "192.0.2.1 4022 22"),
        ("dropbear", "Login attempt for nonexistent user 'x' from 192.0.2.1:4022", "192.0.2.1 4022 22"),
        (
            "dropbear",
            "Exit before auth from <192.0.2.1:4022>: (user 'root', 0 fails): Exited",
            "192.0.2.1 4022 22",
        ),
        (
            "dropbear",
            "Exit before auth from <192.0.2.1:4022>: (user 'root', 5 fails): Max auth tries",
            "none",
        ),
        ("dropbear", "Exit before auth from <192.0.2.1:4022>: Timeout before auth", "none"),
        ("dropbear", "Bad password attempt for 'root' from [2001:db8::7]:50022", "2001:db8::7 50022 22"),
        ("dropbear", "Bad password attempt for 'root' from [2001:db8::7:50022", "none"),
        ("dropbear", "bad password attempt for 'root' from 192.0.2.1:4022", "192.0.2.1 4022 22"),
        (
            "dropbear",
            "Exit before auth from <[2001:db8::8]:50022>: (user 'root', 0 fails): Exited normally",
            "2001:db8::8 50022 22",
        ),
        (
            "dropbear",
            "Exit before auth from <192.0.2.1:4022>: Max auth tries reached - user 'is invalid'",
            "192.0.2.1 4022 22",
        ),
        (
            "dropbear",
            "Exit before auth from <192.0.2.1:4022>: Max auth tries reached - user 'is invalid' from 192.0.2.1:4022",
            "192.0.2.1 4022 22",
        ),
        // Without an address and without a connection that is known.
        ("dropbear", "Login attempt for nonexistent user", "none"),
        ("dropbear", "Child connection from 192.0.2.1:4022", "none"),
        ("dropbear", "Password auth succeeded for 'root' from 192.0.2.1:4022", "none"),
        ("sshd", "Failed password for root from 192.0.2.1 port 4022 ssh2", "192.0.2.1 4022 22"),
        ("sshd", "Failed password for invalid user a b from 192.0.2.2 port 4022 ssh2", "192.0.2.2 4022 22"),
        (
            "sshd-session",
            "Failed password for x from 198.51.100.7 port 1 ssh2 from 2001:db8::1 port 4022 ssh2",
            "2001:db8::1 4022 22",
        ),
        ("sshd", "Failed password for root from 192.0.2.1 port 4022 ssh2 [preauth]", "192.0.2.1 4022 22"),
        ("sshd", "Invalid user admin from 192.0.2.1 port 4022", "none"),
        (
            "sshd",
            "Connection closed by authenticating user root 192.0.2.3 port 4022 [preauth]",
            "192.0.2.3 4022 22",
        ),
        (
            "sshd",
            "error: maximum authentication attempts exceeded for invalid user x from 192.0.2.4 port 1 ssh2 [preauth]",
            "192.0.2.4 1 22",
        ),
        ("sshd", "Connection closed by 192.0.2.5 port 4022 [preauth]", "none"),
        ("sshd", "Failed password for root from 192.0.2.1 port 4022", "192.0.2.1 4022 22"),
        (
            "sshd",
            "Disconnecting invalid user x 192.0.2.6 port 4022: Too many authentication failures [preauth]",
            "192.0.2.6 4022 22",
        ),
        (
            "sshd",
            "Disconnecting invalid user x 198.51.100.7 port 1: Too many authentication failures 192.0.2.6 port 2: \
             Too many authentication failures",
            "192.0.2.6 2 22",
        ),
        (
            "sshd",
            "Disconnecting invalid user x 192.0.2.6 port 4022: Change of username or service not allowed: (x,ssh-connection) \
             -> (198.51.100.7 port 1,ssh-connection) [preauth]",
            "192.0.2.6 4022 22",
        ),
        (
            "sshd",
            "Disconnecting invalid user x 198.51.100.7 port 1: Change of username or service not allowed: (x 192.0.2.6 port \
             2: Change of username or service not allowed: (a,b)",
            "none",
        ),
        // Before OpenSSH 6.7 the name is all that follows.
        (
            "sshd",
            "Disconnecting: Too many authentication failures for x from 198.51.100.7 port 1 ssh2 [preauth]",
            "none",
        ),
        ("sshd", "Failed password for root from 192.0.2.1 port 4022 ssh1", "192.0.2.1 4022 22"),
        ("sshd", "error: PAM: Authentication error for root from 192.0.2.7", "192.0.2.7 0 22"),
        ("ssh.service", "Failed password for root from 192.0.2.1 port 4022 ssh2", "192.0.2.1 4022 22"),
        (
            "sshd",
            "Disconnecting invalid user x 192.0.2.6 port 4022: Change of username: (x,y) -> (198.51.100.7 port 1)",
            "none",
        ),
        ("sshd-session", "error: PAM: Authentication failure for root from 192.0.2.7", "192.0.2.7 0 22"),
        ("sshd", "error: PAM: Authentication failure for illegal user x from 192.0.2.7", "192.0.2.7 0 22"),
        ("sshd", "error: PAM: Authentication failure for root from host.example.org", "none"),
        (
            "sshd",
            "message repeated 4 times: [ Failed password for root from 192.0.2.1 port 4022 ssh2]",
            "192.0.2.1 4022 22 x4",
        ),
        ("sshd", "message repeated 0 times: [ Failed password for root from 192.0.2.1 port 1 ssh2]", "none"),
        ("dispatcher.uc", "luci: failed login on / for root from 192.0.2.1", "192.0.2.1 0 80"),
        ("", "luci: failed login on / for root from 192.0.2.1", "192.0.2.1 0 80"),
        ("", "failed login on / for root from 192.0.2.1", "none"),
        ("luci", "failed login on / for root from 192.0.2.1", "192.0.2.1 0 80"),
        ("uhttpd", "[info] luci: failed login on /admin for x from 1.1.1.1 from 192.0.2.1", "192.0.2.1 0 80"),
        ("rpcd", "luci: failed login on / for root from 192.0.2.1 x", "none"),
        ("luci", "accepted login on / for root from 192.0.2.1", "none"),
        ("cron", "Bad password attempt for 'root' from 192.0.2.1:4022", "none"),
    ] {
        assert_eq!(read(&mut Logins::default(), name, message), expected, "{message}");
    }
}

#[test]
fn the_end_of_a_connection_does_not_count_twice() {
    let logins = &mut Logins::default();
    let failed = "Failed password for root from 192.0.2.1 port 4022 ssh2";
    assert_ne!(read(logins, "sshd", failed), "none");
    assert_ne!(read(logins, "sshd", failed), "none");
    let end = "Connection closed by authenticating user root 192.0.2.1 port 4022 [preauth]";
    assert_eq!(read(logins, "sshd", end), "none");
    let other = "Connection closed by authenticating user root 192.0.2.1 port 4023 [preauth]";
    assert_ne!(read(logins, "sshd", other), "none");
}

/// dropbear 2020.79 to 2024.85.
#[test]
fn the_process_id_leads_to_the_address_of_an_unknown_user() {
    let unknown = "Login attempt for nonexistent user";
    let end = "Exit before auth from <192.0.2.1:4022>: Max auth tries reached - user 'is invalid'";
    let logins = &mut Logins::default();
    let mut read = |pid, time, message| read_at(logins, "dropbear", pid, time, message);
    // The connection is known.
    assert_eq!(read(7, 1000, "Child connection from 192.0.2.1:4022"), "none");
    assert_eq!(read(8, 1000, "Child connection from 192.0.2.2:4023"), "none");
    assert_eq!(read(7, 1001, unknown), "192.0.2.1 4022 22");
    assert_eq!(read(7, 1002, end), "none");
    assert_eq!(read(8, 1002, unknown), "192.0.2.2 4023 22");
    // It began before the log.
    assert_eq!(read(9, 1003, unknown), "none");
    assert_eq!(read(9, 1004, "message repeated 2 times: [ Login attempt for nonexistent user]"), "none");
    let disconnected = "Exit before auth from <192.0.2.3:1>: Disconnect received";
    assert_eq!(read(9, 1005, disconnected), "192.0.2.3 1 22 x3");
    assert_eq!(read(9, 1005, disconnected), "none");
    // Another process long after with the same id.
    assert_eq!(read(8, 9000, unknown), "none");
    assert_eq!(read(8, 9000 + 601, disconnected), "none");
}

#[test]
fn a_flood_of_connections_takes_no_more_memory() {
    let logins = &mut Logins::default();
    for pid in 0..100_000 {
        read_at(logins, "dropbear", pid, 1000, "Child connection from 192.0.2.1:4022");
    }
    let unknown = "Login attempt for nonexistent user";
    assert_eq!(read_at(logins, "dropbear", 99_999, 1000, unknown), "192.0.2.1 4022 22");
    assert_eq!(read_at(logins, "dropbear", 1, 1000, unknown), "none");
}

#[test]
fn pam_and_sshd_tell_of_one_failure() {
    let logins = &mut Logins::default();
    let pam = "error: PAM: Authentication failure for root from 192.0.2.1";
    let failed = "Failed keyboard-interactive/pam for root from 192.0.2.1 port 4022 ssh2";
    for _ in 0..3 {
        assert_ne!(read(logins, "sshd", pam), "none");
        assert_eq!(read(logins, "sshd", failed), "none");
    }
    assert_ne!(read(logins, "sshd", failed), "none");
    let end = "Connection closed by authenticating user root 192.0.2.1 port 4022 [preauth]";
    assert_eq!(read(logins, "sshd", end), "none");
}

#[test]
fn what_was_counted_is_forgotten_in_time() {
    let logins = &mut Logins::default();
    let failed = "Failed password for root from 192.0.2.1 port 4022 ssh2";
    let end = "Connection closed by authenticating user root 192.0.2.1 port 4022 [preauth]";
    assert_ne!(read_at(logins, "sshd", 9, 1000, failed), "none");
    assert_eq!(read_at(logins, "sshd", 9, 1600, end), "none");
    assert_ne!(read_at(logins, "sshd", 9, 1601, end), "none");
}

#[test]
fn a_name_that_pushes_the_end_out_is_not_read() {
    let message = format!(
        "Failed password for invalid user x from 198.51.100.7 port 22 ssh2{} from 192.0.2.1 port 4022 ssh2",
        "y".repeat(180)
    );
    assert_eq!(read(&mut Logins::default(), "sshd", &message), "none");
}
