-- Makes the roll-ups of days from their pairs, as often as wanted: every run writes the whole days anew.
-- Parameters: from and to (Date, the first and the last day), made (DateTime64(6), when this run began).
-- `fwstat-fleet rollup` runs it for every day that a batch has reached since the day's last roll-up.

-- Services of a router, for routers that send pairs.
INSERT INTO router_service
SELECT router, class, protocol, port, day, max(sent) AS sent, sum(attempts) AS attempts, count() AS sources, []
FROM current_pairs(from = {from:Date}, to = {to:Date})
GROUP BY router, class, protocol, port, day;

-- All services together: attempts and hours are the routers' own totals, which hold more than the pairs where a
-- router's table was full.
INSERT INTO service_day
SELECT class, -1, 0, day, {made:DateTime64(6, 'UTC')}, sum(attempts), sum(routers),
    uniqCombinedMergeState(16)(sources), maxForEach(registers), sumForEach(hours)
FROM
(
    SELECT day, class, sum(attempts) AS attempts, count() AS routers,
        arrayReduce('uniqCombinedState(16)', CAST([] AS Array(IPv6))) AS sources,
        CAST([] AS Array(UInt8)) AS registers, sumForEach(hours) AS hours
    FROM current_router_day(from = {from:Date}, to = {to:Date})
    GROUP BY day, class
    UNION ALL
    SELECT day, class, 0, 0, uniqCombinedState(16)(source), [], []
    FROM current_pairs(from = {from:Date}, to = {to:Date})
    GROUP BY day, class
    UNION ALL
    SELECT day, class, 0, 0, arrayReduce('uniqCombinedState(16)', CAST([] AS Array(IPv6))),
        groupArrayInsertAt(0, 1024)(rank, place), []
    FROM
    (
        SELECT day, class, toUInt32(intDiv(register, 64)) AS place, max(toUInt8(register % 64)) AS rank
        FROM current_router_service(from = {from:Date}, to = {to:Date})
        ARRAY JOIN registers AS register
        GROUP BY day, class, place
    )
    GROUP BY day, class
)
GROUP BY day, class;

INSERT INTO service_day
SELECT class, protocol, port, day, {made:DateTime64(6, 'UTC')}, sum(attempts) AS attempts, sum(routers),
    uniqCombinedMergeState(16)(sources), maxForEach(registers), []
FROM
(
    SELECT day, class, protocol, port, sum(attempts) AS attempts, uniqExact(router) AS routers,
        uniqCombinedState(16)(source) AS sources, CAST([] AS Array(UInt8)) AS registers
    FROM current_pairs(from = {from:Date}, to = {to:Date})
    GROUP BY day, class, protocol, port
    UNION ALL
    SELECT day, class, protocol, port, sum(attempts), uniqExact(router),
        arrayReduce('uniqCombinedState(16)', CAST([] AS Array(IPv6))), []
    FROM current_router_service(from = {from:Date}, to = {to:Date})
    WHERE notEmpty(registers)
    GROUP BY day, class, protocol, port
    UNION ALL
    SELECT day, class, protocol, port, 0, 0, arrayReduce('uniqCombinedState(16)', CAST([] AS Array(IPv6))),
        groupArrayInsertAt(0, 1024)(rank, place)
    FROM
    (
        SELECT day, class, protocol, port, toUInt32(intDiv(register, 64)) AS place, max(toUInt8(register % 64)) AS rank
        FROM current_router_service(from = {from:Date}, to = {to:Date})
        ARRAY JOIN registers AS register
        GROUP BY day, class, protocol, port, place
    )
    GROUP BY day, class, protocol, port
)
GROUP BY day, class, protocol, port
ORDER BY attempts DESC, protocol, port
LIMIT 2000 BY day, class;

INSERT INTO country_day
SELECT class, -1, 0, country, day, {made:DateTime64(6, 'UTC')}, sum(attempts), uniqExact(router),
    uniqCombinedState(16)(source)
FROM current_pairs(from = {from:Date}, to = {to:Date})
GROUP BY day, class, country;

INSERT INTO country_day
SELECT class, protocol, port, country, day, {made:DateTime64(6, 'UTC')}, sum(attempts), uniqExact(router),
    uniqCombinedState(16)(source)
FROM current_pairs(from = {from:Date}, to = {to:Date})
WHERE (day, class, protocol, port) IN
(
    SELECT day, class, protocol, port
    FROM current_pairs(from = {from:Date}, to = {to:Date})
    GROUP BY day, class, protocol, port
    ORDER BY sum(attempts) DESC, protocol, port
    LIMIT 200 BY day, class
)
GROUP BY day, class, protocol, port, country;

-- First the few sources that are kept, by sums that cost little; then their details.
INSERT INTO source_day
SELECT class, source, day, {made:DateTime64(6, 'UTC')}, max(country), sum(attempts), uniqExact(router),
    length(groupUniqArray(toUInt32(protocol) * 65536 + port) AS services), uniqExactIf(router, protocol = 6),
    arrayMap(x -> (toUInt8(intDiv(x, 65536)), toUInt16(x % 65536)), arraySlice(arraySort(services), 1, 8))
FROM current_pairs(from = {from:Date}, to = {to:Date})
WHERE (day, class, source) IN
(
    SELECT day, class, source
    FROM current_pairs(from = {from:Date}, to = {to:Date})
    GROUP BY day, class, source
    HAVING min(router) != max(router) OR sum(attempts) >= 1000
)
GROUP BY day, class, source;

-- What this run did not make, because a correction has it no more, counts from here on nowhere.
INSERT INTO rollups
SELECT toDate({from:Date} + number) AS day, {made:DateTime64(6, 'UTC')}
FROM numbers(toUInt64({to:Date} - {from:Date} + 1));
