# UCI text -> shell assignments. One value a line for a list.
function unquoted(text,    quote) {
    sub(/^[ \t]+/, "", text); sub(/[ \t]+$/, "", text)
    quote = substr(text, 1, 1)
    if (quote == "'" || quote == "\"") text = substr(text, 2, length(text) - 2)
    gsub(/'/, "", text)
    return text
}
/^config[ \t]/ {
    number++
    line = $0; sub(/^config[ \t]+/, "", line)
    kind = line; sub(/[ \t].*/, "", kind)
    name = line; if (!sub(/^[^ \t]+[ \t]+/, "", name)) name = ""
    name = unquoted(name)
    section = name == "" ? "cfg" number : name
    if (name !~ /^[A-Za-z0-9_]*$/) exit 1
    sections = sections " " section
    printf "CONFIG_%s_TYPE='%s'\n", section, unquoted(kind)
}
/^[ \t]+(option|list)[ \t]/ {
    line = $0; sub(/^[ \t]+/, "", line)
    list = line ~ /^list/
    sub(/^[a-z]+[ \t]+/, "", line)
    option = line; sub(/[ \t].*/, "", option)
    value = line; sub(/^[^ \t]+[ \t]+/, "", value); value = unquoted(value)
    key = section "_" option
    seen[key] = list && (key in seen) ? seen[key] "\n" value : value
    printf "CONFIG_%s='%s'\n", key, seen[key]
}
END { printf "CONFIG_SECTIONS='%s'\n", sections }
