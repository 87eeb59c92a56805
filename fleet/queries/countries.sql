-- Countries of one service, or of all without protocol and port: attempts and different sources side by side. Routers
-- that send no addresses are not part of it.
SELECT if(country = '', '-', country) AS country, sum(attempts) AS attempts,
    round(attempts / sum(attempts) OVER (), 4) AS share, uniqCombinedMerge(16)(sources) AS sources,
    round(sources / sum(sources) OVER (), 4) AS share_of_sources, max(routers) AS routers
FROM current_country_day(from = {from:Date}, to = {to:Date}) AS country_day
WHERE class = {class:String} AND protocol = {protocol:Int16} AND port = {port:UInt16}
GROUP BY country
ORDER BY attempts DESC, country
LIMIT {limit:UInt32};
