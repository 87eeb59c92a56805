-- The most tried services of a range: attempts and different sources side by side, and the attempts per router and day
-- against those of the range of the same length before it.
-- sources_of_registers: different sources of routers that send no addresses, if there are any; not part of `sources`.
WITH
    (
        SELECT (sumIf(attempts, day >= {from:Date}), sumIf(routers, day >= {from:Date}), sumIf(routers, day < {from:Date}))
        FROM current_service_day(from = {from:Date} - ({to:Date} - {from:Date} + 1), to = {to:Date})
        WHERE class = {class:String} AND protocol = -1
    ) AS whole,
    countEqual(registers, 0) AS zeros,
    1024 * 1024 * 0.7213 / (1 + 1.079 / 1024) / arraySum(x -> exp2(-toInt16(x)), registers) AS estimated,
    if(estimated <= 2560 AND zeros > 0, 1024 * log(1024 / zeros), estimated) AS counted
SELECT protocol, port, attempts, round(attempts / whole.1, 4) AS share, sources, routers,
    round((attempts / whole.2) / nullIf(before / nullIf(whole.3, 0), 0), 3) AS change,
    if(empty(registers), NULL, toUInt64(round(counted))) AS sources_of_registers
FROM
(
    SELECT protocol, port, sumIf(service.attempts, day >= {from:Date}) AS attempts,
        sumIf(service.attempts, day < {from:Date}) AS before,
        uniqCombinedMergeIf(16)(service.sources, day >= {from:Date}) AS sources,
        maxIf(service.routers, day >= {from:Date}) AS routers,
        maxForEachIf(service.registers, day >= {from:Date}) AS registers
    FROM current_service_day(from = {from:Date} - ({to:Date} - {from:Date} + 1), to = {to:Date}) AS service
    WHERE class = {class:String} AND protocol >= 0
    GROUP BY protocol, port
    HAVING attempts > 0
)
ORDER BY attempts DESC, protocol, port
LIMIT {limit:UInt32};
