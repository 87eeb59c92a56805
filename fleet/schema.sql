-- Tables of a fleet of fwstat routers, for ClickHouse 24.3 or newer (or chdb, the same engine inside a process).
-- Run in a database of its own: clickhouse-client --database fwstat --queries-file schema.sql
-- Running it again changes nothing.

-- Where batches arrive. It stores nothing: the constraints below check a row, the materialized views behind it
-- distribute it. Values are text, because the JSON reader lets a number wrap silently into every integer type
-- (4294967319 becomes port 23), reads a missing or null one as 0 and a bad date as 1970-01-01.
-- `router` comes from the token of the connection, never from the batch.
CREATE TABLE IF NOT EXISTS inbox
(
    router UInt32,
    kind String,
    format String,
    day String,
    sent String,
    class String,
    protocol String,
    port String,
    source String,
    country String,
    attempts String,
    sources String,
    complete String,
    lost String,
    offset String,
    version String,
    hours Array(String),
    registers Array(String),

    CONSTRAINT router_is_known CHECK router > 0,
    CONSTRAINT kind_is_known CHECK kind IN ('day', 'pair', 'service'),
    CONSTRAINT format_is_1 CHECK format = '1' OR (format = '' AND kind != 'day'),
    CONSTRAINT day_is_a_date CHECK toString(toDateOrZero(day)) = day,
    CONSTRAINT day_is_recent CHECK toDateOrZero(day) BETWEEN today() - 400 AND today() + 1,
    CONSTRAINT sent_is_a_time CHECK assumeNotNull(toUInt32OrNull(sent))
        BETWEEN toUInt32(toDateOrZero(day)) * 86400 AND toUnixTimestamp(now()) + 172800,
    CONSTRAINT class_is_known CHECK class IN ('attempt', 'backscatter', 'noise', 'egress', 'login'),
    CONSTRAINT attempts_is_a_count CHECK length(attempts) <= 15 AND toUInt64OrNull(attempts) IS NOT NULL,
    CONSTRAINT protocol_fits CHECK kind = 'day' OR toUInt8OrNull(protocol) IS NOT NULL,
    CONSTRAINT port_fits CHECK kind = 'day' OR toUInt16OrNull(port) IS NOT NULL,
    CONSTRAINT source_is_an_address CHECK kind != 'pair' OR toIPv6OrNull(source) IS NOT NULL,
    CONSTRAINT country_has_two_letters CHECK country = '' OR (length(country) = 2 AND match(country, '^[A-Z]+$')),
    CONSTRAINT sources_is_a_count CHECK kind = 'pair' OR toUInt32OrNull(sources) IS NOT NULL,
    CONSTRAINT complete_is_0_or_1 CHECK kind != 'day' OR complete IN ('0', '1'),
    CONSTRAINT lost_is_a_count CHECK kind != 'day' OR (length(lost) <= 15 AND toUInt64OrNull(lost) IS NOT NULL),
    CONSTRAINT offset_is_minutes CHECK kind != 'day' OR coalesce(abs(toInt16OrNull(offset)), 901) <= 900,
    CONSTRAINT version_is_plain CHECK version = '' OR match(version, '^[A-Za-z0-9.+~_-]{1,32}$'),
    CONSTRAINT hours_are_24_counts CHECK length(hours) IN (0, 24)
        AND arrayAll(x -> length(x) <= 15 AND toUInt64OrNull(x) IS NOT NULL, hours),
    CONSTRAINT registers_fit CHECK length(registers) <= 1024
        AND arrayAll(x -> toUInt16OrNull(x) IS NOT NULL, registers)
)
ENGINE = Null;

-- One row for each router, source and service of a day. A batch that is sent again replaces its rows. `day` is part of
-- the key, because FINAL merges equal keys of different partitions. Rows live 90 days from their arrival, not from
-- their day: an old day that is imported would be gone at once.
CREATE TABLE IF NOT EXISTS pairs
(
    source IPv6 CODEC(ZSTD(3)),
    class LowCardinality(String) CODEC(ZSTD(3)),
    protocol UInt8 CODEC(ZSTD(3)),
    port UInt16 CODEC(ZSTD(3)),
    router UInt32 CODEC(T64, ZSTD(3)),
    day Date CODEC(ZSTD(3)),
    sent DateTime('UTC') CODEC(T64, ZSTD(3)),
    country LowCardinality(String) CODEC(ZSTD(3)),
    attempts UInt64 CODEC(T64, ZSTD(3)),
    arrived Date DEFAULT today() CODEC(ZSTD(3)),
    address String ALIAS replaceRegexpOne(toString(source), '^::ffff:', '')
)
ENGINE = ReplacingMergeTree(sent)
PARTITION BY day
ORDER BY (source, class, protocol, port, router, day)
TTL arrived + INTERVAL 90 DAY
SETTINGS ttl_only_drop_parts = 1, fsync_after_insert = 1, fsync_part_directory = 1;

-- The totals that a router gives for a day and class. The highest `sent` of a router and day says which batch holds:
-- rows of an earlier one, which a correction leaves behind where it has fewer, count nowhere.
CREATE TABLE IF NOT EXISTS router_day
(
    router UInt32,
    class LowCardinality(String),
    day Date,
    sent DateTime('UTC'),
    attempts UInt64,
    sources UInt32,
    complete UInt8,
    lost UInt64,
    offset Int16,
    version LowCardinality(String),
    hours Array(UInt64),
    arrived DateTime64(6, 'UTC') DEFAULT now64(6)
)
ENGINE = ReplacingMergeTree(sent)
PARTITION BY toYear(day)
ORDER BY (router, class, day)
TTL day + INTERVAL 10 YEAR
SETTINGS fsync_after_insert = 1, fsync_part_directory = 1;

-- A router's services of a day: of its pairs by the roll-up, or as sent by a router that names no sources, with
-- HyperLogLog registers (1,024 of them, each as index * 64 + rank, those above 0 alone).
CREATE TABLE IF NOT EXISTS router_service
(
    router UInt32,
    class LowCardinality(String),
    protocol UInt8,
    port UInt16,
    day Date,
    sent DateTime('UTC'),
    attempts UInt64,
    sources UInt32,
    registers Array(UInt16)
)
ENGINE = ReplacingMergeTree(sent)
PARTITION BY toYYYYMM(day)
ORDER BY (router, class, protocol, port, day)
TTL day + INTERVAL 400 DAY
SETTINGS ttl_only_drop_parts = 1, fsync_after_insert = 1, fsync_part_directory = 1;

CREATE MATERIALIZED VIEW IF NOT EXISTS inbox_pairs TO pairs AS
SELECT toIPv6(source) AS source, class, toUInt8(protocol) AS protocol, toUInt16(port) AS port, router,
    toDate(day) AS day, toDateTime(toUInt32(sent), 'UTC') AS sent, country, toUInt64(attempts) AS attempts
FROM inbox WHERE kind = 'pair';

CREATE MATERIALIZED VIEW IF NOT EXISTS inbox_router_service TO router_service AS
SELECT router, class, toUInt8(protocol) AS protocol, toUInt16(port) AS port, toDate(day) AS day,
    toDateTime(toUInt32(sent), 'UTC') AS sent, toUInt64(attempts) AS attempts, toUInt32OrZero(sources) AS sources,
    arrayMap(x -> toUInt16(x), registers) AS registers
FROM inbox WHERE kind = 'service';

CREATE MATERIALIZED VIEW IF NOT EXISTS inbox_router_day TO router_day AS
SELECT router, class, toDate(day) AS day, toDateTime(toUInt32(sent), 'UTC') AS sent, toUInt64(attempts) AS attempts,
    toUInt32(sources) AS sources, toUInt8(complete) AS complete, toUInt64(lost) AS lost, toInt16(offset) AS offset,
    version, arrayMap(x -> toUInt64(x), hours) AS hours
FROM inbox WHERE kind = 'day';

-- When each day's roll-up was made. A roll-up writes the three tables below, to disk, and then this row; it never adds
-- to what is there, so making it again gives the same. Rows made before the latest roll-up of their day count nowhere.
-- Without its row, as after a crash, the day is rolled up again.
CREATE TABLE IF NOT EXISTS rollups
(
    day Date,
    made DateTime64(6, 'UTC')
)
ENGINE = ReplacingMergeTree(made)
ORDER BY day;

-- The 2,000 heaviest services of a day and class; protocol -1 is all of them together, with the routers' own totals.
-- `sources`: addresses; `registers`: sources of routers that send no addresses. The two cannot be joined.
CREATE TABLE IF NOT EXISTS service_day
(
    class LowCardinality(String),
    protocol Int16,
    port UInt16,
    day Date,
    made DateTime64(6, 'UTC'),
    attempts UInt64,
    routers UInt32,
    sources AggregateFunction(uniqCombined(16), IPv6),
    registers Array(UInt8),
    hours Array(UInt64)
)
ENGINE = ReplacingMergeTree(made)
PARTITION BY toYear(day)
ORDER BY (class, protocol, port, day)
TTL day + INTERVAL 10 YEAR
SETTINGS fsync_after_insert = 1, fsync_part_directory = 1;

-- Countries of the 200 heaviest services of a day and class, and of all together (protocol -1).
CREATE TABLE IF NOT EXISTS country_day
(
    class LowCardinality(String),
    protocol Int16,
    port UInt16,
    country LowCardinality(String),
    day Date,
    made DateTime64(6, 'UTC'),
    attempts UInt64,
    routers UInt32,
    sources AggregateFunction(uniqCombined(16), IPv6)
)
ENGINE = ReplacingMergeTree(made)
PARTITION BY toYear(day)
ORDER BY (class, protocol, port, country, day)
TTL day + INTERVAL 10 YEAR
SETTINGS fsync_after_insert = 1, fsync_part_directory = 1;

-- Sources that two routers or more saw on a day, or that made 1,000 attempts.
CREATE TABLE IF NOT EXISTS source_day
(
    class LowCardinality(String),
    source IPv6,
    day Date,
    made DateTime64(6, 'UTC'),
    country LowCardinality(String),
    attempts UInt64,
    routers UInt32,
    services UInt32,
    tcp_routers UInt32,
    ports Array(Tuple(UInt8, UInt16)),
    address String ALIAS replaceRegexpOne(toString(source), '^::ffff:', '')
)
ENGINE = ReplacingMergeTree(made)
PARTITION BY toYYYYMM(day)
ORDER BY (class, source, day)
TTL day + INTERVAL 400 DAY
SETTINGS ttl_only_drop_parts = 1, fsync_after_insert = 1, fsync_part_directory = 1;

CREATE TABLE IF NOT EXISTS routers
(
    router UInt32,
    name String,
    site String,
    enrolled DateTime('UTC'),
    revoked Nullable(DateTime('UTC')),
    changed DateTime64(6, 'UTC') DEFAULT now64(6)
)
ENGINE = ReplacingMergeTree(changed)
ORDER BY router;

-- What questions read: each table without what a resend, a correction or a later roll-up has replaced.
-- A range belongs to the question, because what holds is looked up by router and day.

CREATE VIEW IF NOT EXISTS current_pairs AS
SELECT *, replaceRegexpOne(toString(source), '^::ffff:', '') AS address FROM pairs FINAL
WHERE day BETWEEN {from:Date} AND {to:Date} AND (router, day, sent) IN
    (SELECT router, day, max(sent) FROM router_day WHERE day BETWEEN {from:Date} AND {to:Date} GROUP BY router, day);

CREATE VIEW IF NOT EXISTS current_router_day AS
SELECT * FROM router_day FINAL
WHERE day BETWEEN {from:Date} AND {to:Date} AND (router, day, sent) IN
    (SELECT router, day, max(sent) FROM router_day WHERE day BETWEEN {from:Date} AND {to:Date} GROUP BY router, day);

CREATE VIEW IF NOT EXISTS current_router_service AS
SELECT * FROM router_service FINAL
WHERE day BETWEEN {from:Date} AND {to:Date} AND (router, day, sent) IN
    (SELECT router, day, max(sent) FROM router_day WHERE day BETWEEN {from:Date} AND {to:Date} GROUP BY router, day);

CREATE VIEW IF NOT EXISTS current_service_day AS
SELECT service_day.* FROM service_day FINAL
INNER JOIN (SELECT day, max(made) AS latest FROM rollups GROUP BY day) AS rolled ON rolled.day = service_day.day
WHERE service_day.day BETWEEN {from:Date} AND {to:Date} AND made >= latest;

CREATE VIEW IF NOT EXISTS current_country_day AS
SELECT country_day.* FROM country_day FINAL
INNER JOIN (SELECT day, max(made) AS latest FROM rollups GROUP BY day) AS rolled ON rolled.day = country_day.day
WHERE country_day.day BETWEEN {from:Date} AND {to:Date} AND made >= latest;

CREATE VIEW IF NOT EXISTS current_source_day AS
SELECT source_day.*, address FROM source_day FINAL
INNER JOIN (SELECT day, max(made) AS latest FROM rollups GROUP BY day) AS rolled ON rolled.day = source_day.day
WHERE source_day.day BETWEEN {from:Date} AND {to:Date} AND made >= latest;
