//! Writes databases of networks as their makers do: GeoLite2-ASN (keys written once, then pointers to them) and
//! ip-location-db's asn.mmdb have the same fields.

/// First and last address as numbers (IPv4 as the lowest 32 bits), AS number, name; in order.
pub type Row = (u128, u128, u32, String);

#[derive(Clone, Copy)]
pub struct Shape {
    /// Bits of a record: 24, 28 or 32.
    pub record: u32,
    /// 4 or 6.
    pub version: u8,
    /// Keys of later records are pointers to those of the first.
    pub pointers: bool,
}

pub const GEOLITE2: Shape = Shape { record: 24, version: 6, pointers: true };

fn control(kind: u8, size: usize) -> Vec<u8> {
    let first = if kind < 8 { kind << 5 } else { 0 };
    let mut bytes = match size {
        0..29 => vec![first | size as u8],
        29..285 => vec![first | 29, (size - 29) as u8],
        _ => vec![first | 30, ((size - 285) >> 8) as u8, (size - 285) as u8],
    };
    if kind >= 8 {
        bytes.insert(1, kind - 7);
    }
    bytes
}

pub fn text(text: &[u8]) -> Vec<u8> {
    [control(2, text.len()), text.to_vec()].concat()
}

pub fn number(kind: u8, value: u64) -> Vec<u8> {
    let bytes = value.to_be_bytes();
    let bytes = &bytes[value.leading_zeros() as usize / 8..];
    [control(kind, bytes.len()), bytes.to_vec()].concat()
}

fn pointer(place: usize) -> Vec<u8> {
    assert!(place < 2048);
    vec![1 << 5 | (place >> 8) as u8, place as u8]
}

const KEYS: [&[u8]; 2] = [b"autonomous_system_number", b"autonomous_system_organization"];

/// The data section, and where each row's record lies in it.
fn data(rows: &[Row], shape: Shape) -> (Vec<u8>, Vec<usize>) {
    let (mut data, mut places) = (Vec::new(), Vec::new());
    let mut known = std::collections::BTreeMap::new();
    let mut keys: Option<[usize; 2]> = None;
    for (.., asn, name) in rows {
        let place = *known.entry((*asn, name)).or_insert_with(|| {
            let start = data.len();
            data.extend(control(7, 2));
            let mut here = [0; 2];
            for (at, value) in [number(6, (*asn).into()), text(name.as_bytes())].into_iter().enumerate() {
                here[at] = data.len();
                match keys.filter(|_| shape.pointers) {
                    Some(keys) => data.extend(pointer(keys[at])),
                    None => data.extend(text(KEYS[at])),
                }
                data.extend(value);
            }
            keys.get_or_insert(here);
            start
        });
        places.push(place);
    }
    (data, places)
}

struct Tree<'a> {
    rows: &'a [Row],
    /// Children: a node, or `Err` with a row or nothing.
    nodes: Vec<[Result<usize, Option<usize>>; 2]>,
}

impl Tree<'_> {
    /// What stands for the addresses from `low` on, of which the last `bits` bits vary.
    fn build(&mut self, low: u128, bits: u32, (first, end): (usize, usize)) -> Result<usize, Option<usize>> {
        if first == end {
            return Err(None);
        }
        let high = low | 1u128.checked_shl(bits).map_or(u128::MAX, |size| size - 1);
        let row = &self.rows[first];
        if end - first == 1 && row.0 <= low && row.1 >= high {
            return Err(Some(first));
        }
        let node = self.nodes.len();
        self.nodes.push([Err(None); 2]);
        let middle = low | 1 << (bits - 1);
        let split = first + self.rows[first..end].partition_point(|row| row.0 < middle);
        let right = split - usize::from(split > first && self.rows[split - 1].1 >= middle);
        let left = self.build(low, bits - 1, (first, split));
        self.nodes[node] = [left, self.build(middle, bits - 1, (right, end))];
        Ok(node)
    }
}

/// The file. `built`: when its data was made, seconds since 1970.
pub fn asn_mmdb(rows: &[Row], shape: Shape, built: u64) -> Vec<u8> {
    let (data, places) = data(rows, shape);
    let mut tree = Tree { rows, nodes: Vec::new() };
    tree.build(0, if shape.version == 4 { 32 } else { 128 }, (0, rows.len())).unwrap();
    let count = tree.nodes.len();
    let mut file = Vec::new();
    for node in &tree.nodes {
        let [left, right] = node.map(|child| match child {
            Ok(node) => node as u32,
            Err(None) => count as u32,
            Err(Some(row)) => (count + 16 + places[row]) as u32,
        });
        match shape.record {
            24 => file.extend([&left.to_be_bytes()[1..], &right.to_be_bytes()[1..]].concat()),
            28 => {
                file.extend(&left.to_be_bytes()[1..]);
                file.push((left >> 24 << 4 | right >> 24) as u8);
                file.extend(&right.to_be_bytes()[1..]);
            }
            _ => file.extend([left.to_be_bytes(), right.to_be_bytes()].concat()),
        }
    }
    assert!(shape.record == 32 || ((count + 16 + data.len()) as u64) < 1 << shape.record);
    file.extend([0; 16]);
    file.extend(data);
    file.extend(b"\xab\xcd\xefMaxMind.com");
    let metadata = [
        ("binary_format_major_version", number(5, 2)),
        ("binary_format_minor_version", number(5, 0)),
        ("build_epoch", number(9, built)),
        ("database_type", text(b"GeoLite2-ASN")),
        ("ip_version", number(5, shape.version.into())),
        ("node_count", number(6, count as u64)),
        ("record_size", number(5, shape.record.into())),
    ];
    file.extend(control(7, metadata.len()));
    metadata.iter().for_each(|(key, value)| file.extend([text(key.as_bytes()), value.clone()].concat()));
    file
}
