//! Stands in for uhttpd and rpcd before the page: `bridge PORT UBUS_SOCKET CONFIG TREE...`.
//!
//! Serves the files of the trees, and `/ubus` with JSON-RPC as uhttpd-mod-ubus does (`call`, batches, the caller's session
//! added to the arguments), for two sessions: `writer` and `reader`, each with the rights of the tree's acl.d file.
//! `uci` is rpcd's, over one file: what a session sets waits until it applies it, and without `confirm` it is rolled back.
//! cgi-io's `cgi-download` and `cgi-upload` and rpcd's `file` work on files and run the built fwstat for the
//! page, as the rights say. On loopback only.

// fnmatch(3).
#![allow(unsafe_code)]

use std::collections::BTreeMap;
use std::ffi::CString;
use std::fs;
use std::io::{BufRead, BufReader, Read, Write};
use std::net::{TcpListener, TcpStream};
use std::path::{Path, PathBuf};
use std::sync::{Arc, Mutex};
use std::time::Duration;

use fwstat::config::uci;
use fwstat::ubus::call::{CallError, call};
use serde_json::{Map, Value, json};

struct Bridge {
    socket: PathBuf,
    config: PathBuf,
    trees: Vec<PathBuf>,
    rights: Value,
    uci: Mutex<Uci>,
}

type Sections = BTreeMap<String, Map<String, Value>>;

#[derive(Default)]
struct Uci {
    /// What each session set and did not apply yet.
    staged: BTreeMap<String, Sections>,
    unconfirmed: Option<Unconfirmed>,
    /// Numbers the applied changes, so that a rollback is only of its own.
    turn: u64,
}

/// An applied change that is rolled back unless its session confirms it.
struct Unconfirmed {
    session: String,
    /// The file and what was staged before; `None`: another `apply` removed the copies.
    before: Option<(String, Sections)>,
}

/// The most that a call may carry, as in uhttpd.
const MAX_CALL: usize = 64 << 10;

/// The most that an upload may carry. cgi-io has no limit of its own: it is bounded by the space under /tmp.
const MAX_UPLOAD: usize = 64 << 20;

fn main() {
    let arguments: Vec<String> = std::env::args().skip(1).collect();
    let [port, socket, config, trees @ ..] = arguments.as_slice() else {
        panic!("usage: bridge PORT UBUS_SOCKET CONFIG TREE...");
    };
    let trees: Vec<PathBuf> = trees.iter().map(PathBuf::from).collect();
    let file = trees.iter().map(|tree| tree.join("usr/share/rpcd/acl.d/luci-app-fwstat.json"));
    let file = file.into_iter().find(|file| file.exists()).expect("a tree with an acl.d file");
    let rights: Value = serde_json::from_slice(&fs::read(file).unwrap()).unwrap();
    let rights = rights["luci-app-fwstat"].clone();
    let bridge = Arc::new(Bridge {
        socket: socket.into(),
        config: config.into(),
        trees,
        rights,
        uci: Mutex::default(),
    });
    let listener = TcpListener::bind(("127.0.0.1", port.parse().unwrap())).unwrap();
    println!("{}", listener.local_addr().unwrap().port());
    for stream in listener.incoming().flatten() {
        let bridge = Arc::clone(&bridge);
        std::thread::spawn(move || while Bridge::serve(&bridge, &stream).is_some() {});
    }
}

impl Bridge {
    /// One request; `None` at the end.
    fn serve(self: &Arc<Bridge>, stream: &TcpStream) -> Option<()> {
        let mut reader = BufReader::new(stream);
        let mut line = String::new();
        reader.read_line(&mut line).ok().filter(|length| *length > 0)?;
        let mut words = line.split(' ');
        let (method, target) = (words.next()?.to_string(), words.next()?.to_string());
        let path = target.split(['?', '#']).next()?;
        let most = if path == "/cgi-bin/cgi-upload" { MAX_UPLOAD } else { MAX_CALL };
        let mut length = 0;
        loop {
            let mut header = String::new();
            reader.read_line(&mut header).ok()?;
            if header.trim().is_empty() {
                break;
            }
            if let Some((name, value)) = header.split_once(':')
                && name.eq_ignore_ascii_case("content-length")
            {
                length = value.trim().parse().ok().filter(|length| *length <= most)?;
            }
        }
        let (status, kind, content) = if method == "POST" && path == "/ubus" {
            let mut body = vec![0; length];
            reader.read_exact(&mut body).ok()?;
            (200, "application/json", self.rpc(&body).to_string().into_bytes())
        } else if let ("POST", Some(name)) = (method.as_str(), path.strip_prefix("/cgi-bin/cgi-")) {
            let mut body = vec![0; length];
            reader.read_exact(&mut body).ok()?;
            self.cgi(name, &body)
        } else {
            self.file(path)
        };
        let head = format!(
            "HTTP/1.1 {status} -\r\nContent-Type: {kind}\r\nContent-Length: {}\r\nCache-Control: no-store\r\n\r\n",
            content.len()
        );
        let mut stream = stream;
        stream.write_all(head.as_bytes()).and_then(|()| stream.write_all(&content)).ok()
    }

    /// `cgi-download` reads a file, `cgi-upload` writes one. The session stands in the body, as with cgi-io.
    fn cgi(&self, name: &str, body: &[u8]) -> (u16, &'static str, Vec<u8>) {
        let denied = (403, "text/plain", b"Forbidden".to_vec());
        let Some(at) = body.iter().position(|byte| *byte == b'\n') else { return denied };
        let head: Value = serde_json::from_slice(&body[..at]).unwrap_or_default();
        let text = |key: &str| head[key].as_str().unwrap_or_default();
        match name {
            "download"
                if self.may_cgi("download", "read")
                    && self.may_file(text("sessionid"), "read", text("path")) =>
            {
                let read = fs::read(text("path"));
                (if read.is_ok() { 200 } else { 404 }, "application/octet-stream", read.unwrap_or_default())
            }
            "upload"
                if self.may_cgi("upload", "write")
                    && self.may_file(text("sessionid"), "write", text("filename")) =>
            {
                let written = fs::write(text("filename"), &body[at + 1..]);
                (if written.is_ok() { 200 } else { 500 }, "application/json", b"{}".to_vec())
            }
            _ => denied,
        }
    }

    /// As cgi-io asks rpcd for itself.
    fn may_cgi(&self, name: &str, right: &str) -> bool {
        self.rights["write"]["cgi-io"][name]
            .as_array()
            .is_some_and(|list| list.iter().any(|one| one == right))
    }

    /// As rpcd compares a path or a command line with the patterns of the rights: whatever stands for a `*` is allowed.
    fn may_file(&self, session: &str, right: &str, path: &str) -> bool {
        let files = self.rights["write"]["file"].as_object().into_iter().flatten();
        let allowed =
            files.filter(|(_, list)| list.as_array().is_some_and(|list| list.iter().any(|one| one == right)));
        let is_meant = |pattern: &str| {
            let (Ok(pattern), Ok(path)) = (CString::new(pattern), CString::new(path)) else { return false };
            // SAFETY: both are strings that end with a zero byte and live until the call is over.
            unsafe { libc::fnmatch(pattern.as_ptr(), path.as_ptr(), libc::FNM_NOESCAPE) == 0 }
        };
        session == "writer" && allowed.map(|(pattern, _)| pattern).any(|pattern| is_meant(pattern))
    }

    /// The built program in the place of the installed one, asking the daemon of this test.
    fn run(&self, words: &[&str]) -> std::process::Output {
        let ["/usr/bin/fwstat", command, rest @ ..] = words else { panic!("{words:?}") };
        let built = std::env::current_exe().unwrap().with_file_name("../fwstat");
        let mut program = std::process::Command::new(built);
        program.arg(command).arg("--ubus").arg(&self.socket).args(rest).output().expect("the built fwstat")
    }

    fn file(&self, path: &str) -> (u16, &'static str, Vec<u8>) {
        let kinds = [
            ("js", "text/javascript"),
            ("css", "text/css"),
            ("html", "text/html; charset=utf-8"),
            ("json", "application/json"),
        ];
        let path = if path.starts_with("/cgi-bin/luci/") || path == "/" { "/page.html" } else { path };
        let kind = kinds.iter().find(|(end, _)| path.ends_with(&format!(".{end}")));
        let kind = kind.map_or("application/octet-stream", |(_, kind)| *kind);
        let plain = Path::new(path).components().all(|part| !matches!(part, std::path::Component::ParentDir));
        let tried =
            self.trees.iter().flat_map(|tree| [tree.join("www").join(&path[1..]), tree.join(&path[1..])]);
        match tried.filter(|_| plain).find_map(|file| fs::read(file).ok()) {
            Some(content) => (200, kind, content),
            None => (404, "text/plain", b"no such file".to_vec()),
        }
    }

    fn rpc(self: &Arc<Bridge>, body: &[u8]) -> Value {
        match serde_json::from_slice(body) {
            Ok(Value::Array(batch)) => batch.iter().map(|request| self.one(request)).collect(),
            Ok(request) => self.one(&request),
            Err(_) => fault(&Value::Null, -32700, "Parse error"),
        }
    }

    fn one(self: &Arc<Bridge>, request: &Value) -> Value {
        let id = &request["id"];
        let text = |place: usize| request["params"][place].as_str().unwrap_or_default();
        let (session, object, method) = (text(0), text(1), text(2));
        if object == "file" {
            let arguments = &request["params"][3];
            let result = match method {
                _ if !self.may(session, object, method) => json!([6]),
                "exec" => {
                    let words =
                        arguments["params"].as_array().into_iter().flatten().filter_map(Value::as_str);
                    let command = arguments["command"].as_str().unwrap_or_default();
                    let words: Vec<&str> = std::iter::once(command).chain(words).collect();
                    if self.may_file(session, "exec", &words.join(" ")) {
                        let ran = self.run(&words);
                        let text = |bytes: &[u8]| String::from_utf8_lossy(bytes).into_owned();
                        json!([0, {"code": ran.status.code(), "stdout": text(&ran.stdout), "stderr": text(&ran.stderr)}])
                    } else {
                        json!([6])
                    }
                }
                _ => {
                    let path = arguments["path"].as_str().unwrap_or_default();
                    match self.may_file(session, "write", path) {
                        true => json!([if fs::remove_file(path).or_else(|_| fs::remove_dir(path)).is_ok() {
                            0
                        } else {
                            4
                        }]),
                        false => json!([6]),
                    }
                }
            };
            return json!({"jsonrpc": "2.0", "id": id, "result": result});
        }
        if !self.may(session, object, method) {
            return fault(id, -32002, "Access denied");
        }
        let mut arguments = request["params"][3].clone();
        let others = match object {
            "uci" => Some(self.uci(session, method, &arguments)),
            _ => router(object, method, &arguments),
        };
        if let Some(result) = others {
            return json!({"jsonrpc": "2.0", "id": id, "result": result});
        }
        arguments["ubus_rpc_session"] = json!(session);
        let result = match call(&self.socket, object, method, &arguments, Duration::from_secs(20)) {
            Ok(answer) => json!([0, answer]),
            Err(CallError::Refused { status, because }) => match because {
                Some(because) => json!([status.0, {"error": because}]),
                None => json!([status.0]),
            },
            Err(CallError::NoObject(_)) => return fault(id, -32000, "Object not found"),
            Err(other) => return fault(id, -32603, &other.to_string()),
        };
        json!({"jsonrpc": "2.0", "id": id, "result": result})
    }

    fn may(&self, session: &str, object: &str, method: &str) -> bool {
        let within = |part: &str| {
            let methods = self.rights[part]["ubus"][object].as_array();
            methods.is_some_and(|methods| methods.iter().any(|name| name == method))
        };
        match (session, object) {
            ("writer", "uci") => true,
            ("reader", "uci") => method == "get" || method == "changes",
            ("writer", _) => within("read") || within("write"),
            ("reader", _) => within("read"),
            _ => false,
        }
    }

    /// rpcd's `uci`.
    fn uci(self: &Arc<Bridge>, session: &str, method: &str, arguments: &Value) -> Value {
        let mut uci = self.uci.lock().unwrap();
        let mut values = self.sections();
        for (name, settings) in uci.staged.get(session).into_iter().flatten() {
            values.entry(name.clone()).or_default().extend(settings.clone());
        }
        let is_waiting = uci.staged.contains_key(session);
        match method {
            "set" => {
                let name = arguments["section"].as_str().unwrap_or_default();
                // As uci: not found.
                if !values.contains_key(name) {
                    return json!([4]);
                }
                let staged = uci.staged.entry(session.into()).or_default().entry(name.into()).or_default();
                staged.extend(arguments["values"].as_object().cloned().unwrap_or_default());
                json!([0])
            }
            "changes" => {
                let staged = uci.staged.get(session).into_iter().flatten();
                let rows = staged.flat_map(|(section, settings)| {
                    settings.iter().map(move |(name, value)| json!(["set", section, name, value]))
                });
                let rows: Vec<Value> = rows.collect();
                json!([0, {"changes": if is_waiting { json!({"fwstat": rows}) } else { json!({}) }}])
            }
            "apply" => {
                let rollback = arguments["rollback"] == true;
                if let Some(unconfirmed) = &mut uci.unconfirmed {
                    // Permission denied; or the copies are gone, and nothing is applied, without an error.
                    if !rollback {
                        unconfirmed.before = None;
                    }
                    return if rollback { json!([6]) } else { json!([0]) };
                }
                let Some(staged) = uci.staged.remove(session) else { return json!([5]) };
                let before = fs::read_to_string(&self.config).unwrap();
                fs::write(&self.config, written(&values)).unwrap();
                if rollback {
                    uci.turn += 1;
                    uci.unconfirmed =
                        Some(Unconfirmed { session: session.into(), before: Some((before, staged)) });
                    let (bridge, turn) = (Arc::clone(self), uci.turn);
                    let timeout = Duration::from_secs(arguments["timeout"].as_u64().unwrap_or(60));
                    std::thread::spawn(move || {
                        std::thread::sleep(timeout);
                        bridge.roll_back(turn);
                    });
                }
                json!([0])
            }
            "confirm" => match &uci.unconfirmed {
                None => json!([5]),
                Some(unconfirmed) if unconfirmed.session != session => json!([6]),
                Some(_) => {
                    uci.unconfirmed = None;
                    json!([0])
                }
            },
            _ => json!([0, {"values": values}]),
        }
    }

    fn roll_back(&self, turn: u64) {
        let mut uci = self.uci.lock().unwrap();
        if uci.turn != turn {
            return;
        }
        let Some(Unconfirmed { session, before }) = uci.unconfirmed.take() else { return };
        if let Some((text, staged)) = before {
            fs::write(&self.config, text).unwrap();
            uci.staged.insert(session, staged);
        }
    }

    /// The sections of the file.
    fn sections(&self) -> Sections {
        let (sections, _) = uci::parse(&fs::read_to_string(&self.config).unwrap_or_default());
        let mut values = Sections::new();
        for section in &sections {
            let name = section.name.clone().unwrap_or_else(|| section.line.to_string());
            let known = values.entry(name.clone()).or_default();
            known.insert(".type".into(), json!(section.kind));
            known.insert(".name".into(), json!(name));
            for setting in &section.settings {
                let value = json!(setting.value);
                match known.get_mut(&setting.name) {
                    Some(Value::Array(list)) if setting.list => list.push(value),
                    _ if setting.list => drop(known.insert(setting.name.clone(), json!([value]))),
                    _ => drop(known.insert(setting.name.clone(), value)),
                }
            }
        }
        values
    }
}

/// Of the daemon's zone, as `serve` chose it.
fn hours_east() -> u64 {
    if std::env::var("FWSTAT_PAGE_ZONE").is_ok_and(|zone| zone == "JST-8") { 8 } else { 9 }
}

/// What others on the bus answer: procd, rpcd-mod-rrdns, and rpcd's luci-rpc.
fn router(object: &str, method: &str, arguments: &Value) -> Option<Value> {
    let now = std::time::UNIX_EPOCH.elapsed().map_or(0, |elapsed| elapsed.as_secs());
    let answer = match (object, method) {
        // The wall clock of the daemon's zone as seconds.
        ("system", "info") => json!({"localtime": now + hours_east() * 3600, "uptime": 100}),
        ("network.rrdns", "lookup") => match arguments["addrs"][0].as_str()? {
            "203.0.113.66" => json!({"203.0.113.66": "<b>scan</b>.example.net"}),
            _ => json!({}),
        },
        ("luci-rpc", "getHostHints") => {
            json!({"00:00:5E:00:53:07": {"name": "camera.lan", "ipaddrs": ["192.168.1.7"], "ip6addrs": []}})
        }
        _ => return None,
    };
    Some(json!([0, answer]))
}

/// As it stands in a file of `/etc/config`.
fn written(sections: &Sections) -> String {
    let mut text = String::new();
    let plain = |value: &Value| value.as_str().unwrap_or_default().replace('\'', "");
    for (name, settings) in sections {
        text += &format!("config {} '{name}'\n", plain(&settings[".type"]));
        for (name, value) in settings.iter().filter(|(name, _)| !name.starts_with('.')) {
            match value {
                Value::Array(list) => {
                    list.iter().for_each(|value| text += &format!("\tlist {name} '{}'\n", plain(value)));
                }
                value if plain(value).is_empty() => {}
                value => text += &format!("\toption {name} '{}'\n", plain(value)),
            }
        }
    }
    text
}

fn fault(id: &Value, code: i32, message: &str) -> Value {
    json!({"jsonrpc": "2.0", "id": id, "error": {"code": code, "message": message}})
}
