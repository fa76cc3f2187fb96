package main

// One template a line; ⏎ stands for a line end.
const templates = `
plain text
{{.NAME}}:{{.TAG}}
{{ .REPO }}/{{ .NAME }}
{{- .NAME -}} x
a  {{- .NAME }}  b
a {{ .NAME -}}  b
a⏎{{- .NAME -}}⏎b
{{/* comment */}}x
{{- /* comment */ -}} x
{{.MISSING}}
x-{{.MISSING}}-y
{{ if .MISSING }}yes{{ else }}no{{ end }}
{{ if .EMPTY }}yes{{ else }}no{{ end }}
{{ if eq .NAME "web" }}yes{{ else if eq .NAME "api" }}maybe{{ else }}no{{ end }}
{{ if and .NAME (ne .TAG "x") }}yes{{ end }}
{{ if or .EMPTY .MISSING }}yes{{ else }}no{{ end }}
{{ and .NAME .EMPTY }}|{{ or .EMPTY .NAME }}
{{ not .EMPTY }} {{ not true }}
{{ with .NAME }}<{{ . }}>{{ end }}
{{ with .EMPTY }}<{{ . }}>{{ else }}none{{ end }}
{{ with $x := .NAME }}{{ $x }}{{ $.TAG }}{{ end }}
{{ range $i, $e := splitList "," "a,b,c" }}{{ $i }}={{ $e }};{{ end }}
{{ range splitList "," "a,b" }}[{{ . }}]{{ else }}none{{ end }}
{{ range list }}x{{ else }}none{{ end }}
{{ range $k, $v := dict "b" 2 "a" 1 }}{{ $k }}:{{ $v }} {{ end }}
{{ range until 5 }}{{ if eq . 3 }}{{ break }}{{ end }}{{ . }}{{ end }}
{{ range until 5 }}{{ if eq . 1 }}{{ continue }}{{ end }}{{ . }}{{ end }}
{{ define "t" }}<{{ . }}>{{ end }}{{ template "t" .NAME }}{{ template "t" "x" }}
{{ block "b" .NAME }}({{ . }}){{ end }}
{{ $x := 1 }}{{ $x = 2 }}{{ $x }}
{{ printf "%s-%d-%v-%q" .NAME 3 true "a\"b" }}
{{ printf "%05d|%-5s|%5s|%x|%X|%o|%b|%c" 42 "a" "b" 255 255 8 5 65 }}
{{ printf "%.2f|%8.3f|%e|%g" 3.14159 2.5 12345.678 0.00001 }}
{{ printf "%t %v %+v %T" false 1.5 "x" "x" }}
{{ printf "%%|%5.1f%%|%s" 99.5 (list 1 2) }}
{{ print 1 2 "a" "b" 3 }}|{{ println "x" 1 }}
{{ len .NAME }} {{ len (list 1 2 3) }} {{ len (dict "a" 1) }}
{{ index (list "a" "b" "c") 1 }} {{ index (dict "x" "y") "x" }}
{{ index . "NAME" }} {{ index . "MISSING" }}
{{ index (list 1 2) 5 }}
{{ html .HTML }}|{{ js "it's \"x\"" }}|{{ urlquery "a b&c=d/é" }}
{{ lt 1 2 }} {{ le 2 2 }} {{ gt 1 2 }} {{ ge 3 2 }} {{ eq 1 1 }} {{ ne 1 2 }} {{ lt "a" "b" }} {{ eq 1 2 3 1 }}
{{ lt 1.5 2.5 }} {{ eq "a" "b" "a" }}
{{ eq 1 "1" }}
{{ "quoted \"text\"" }} {{ 'a' }} {{ 1_000 }} {{ 0x1F }} {{ 1.5e3 }} {{ true }}
{{ nil }}
{{ (list 1 2 3) | len }}
{{ .NAME | printf "%s-%s" "pre" }}
{{ .NAME.X }}
{{ nofunction .NAME }}
{{ .NAME
{{ end }}
{{ if .NAME }}x
{{ template "missing" . }}
{{ hello }}
{{ .NAME | upper }} {{ "ABC" | lower }} {{ upper .UNICODE }}
{{ title "hello wide-world of o'neil 3rd_x" }}
{{ untitle "Hello Wide World" }}
{{ upper .MISSING }}
{{ upper 1 }}
{{ .MISSING | default "d" }} {{ .EMPTY | default "d" }} {{ .NAME | default "d" }} {{ 0 | default 5 }} {{ default "x" }}
{{ default "x" nil }} {{ list | default "e" }}
{{ empty .EMPTY }} {{ empty .NAME }} {{ empty 0 }} {{ empty (dict) }} {{ empty .MISSING }}
{{ coalesce .MISSING .EMPTY .NAME "x" }} {{ coalesce 0 1 2 }}
{{ coalesce .EMPTY }}
{{ all 1 "a" true }} {{ all 1 "" }} {{ all }} {{ any 0 "" }} {{ any 0 "x" }} {{ any }}
{{ ternary "a" "b" true }} {{ ternary "a" "b" false }} {{ true | ternary 1 2 }}
{{ ternary "a" "b" "x" }}
{{ fail "stop" }}
{{ abbrev 8 "hello world" }} {{ abbrev 3 "hello" }} {{ abbrev 20 "short" }}
{{ abbrevboth 5 10 "1234 5678 9123" }} {{ abbrevboth 2 9 "abcdefghijklmn" }} {{ abbrevboth 8 10 "abcdefghijklmnopqrstuvwxyz" }}
{{ trunc 5 "hello world" }} {{ trunc -5 "hello world" }} {{ trunc 50 "x" }} {{ trunc -50 "x" }} {{ trunc 0 "abc" }}
[{{ trim "  x y  " }}] [{{ trimAll "$" "$5.00$" }}] [{{ trimall "-" "--a-" }}] {{ trimSuffix "-" "a--" }} {{ trimPrefix "v" .TAG }} {{ trimPrefix "x" .TAG }}
{{ substr 0 5 "hello world" }} {{ substr 6 -1 "hello world" }} {{ substr 3 50 "hello" }} {{ substr -1 3 "hello" }}
{{ substr 5 2 "hello" }}
{{ repeat 3 "ab" }} {{ "x" | repeat 0 }}
{{ repeat -1 "x" }}
{{ nospace " a b\tc " }} {{ initials "First Try at it" }}
{{ swapcase "This Is A.Test éÀ" }}
{{ contains "cat" "concatenate" }} {{ hasPrefix "we" .NAME }} {{ hasSuffix "b" .NAME }} {{ hasSuffix "x" .NAME }}
{{ quote "a" 1 nil true "x\ny\t\"z\"" }}
{{ quote .MISSING }}|{{ squote "a" 1 "it's" }}
{{ quote "\a\b\f\v\\ é \u00a0 \u200b" }}
{{ cat "a" 1 nil true 2.5 }}
{{ indent 2 "a⏎b⏎⏎c" }}
{{ indent 2 "a\nb\n\nc" }} {{ (printf "raw") }}
{{ "a: 1\nb: 2" | nindent 4 }}
{{ "I Am Henry VIII" | replace " " "-" }} {{ replace "a" "" "banana" }} {{ replace "" "-" "ab" }}
{{ plural "one" "many" 1 }} {{ len (list 1 2) | plural "item" "items" }}
{{ snakecase "FirstName" }} {{ snakecase "HTTPServer" }} {{ snakecase "NoHTTPS" }} {{ snakecase "GO_PATH" }} {{ snakecase "GO PATH" }} {{ snakecase "http2xx" }} {{ snakecase "HTTP20xOK" }}
{{ snakecase "Duration2m3s" }} {{ snakecase "Bld4Floor3rd" }} {{ snakecase "a--b__c" }} {{ snakecase "foo.barBaz" }} {{ snakecase "" }} {{ snakecase "X" }} {{ snakecase "abc123" }} {{ snakecase "123abc" }} {{ snakecase "A1B2" }}
{{ kebabcase "FirstName" }} {{ kebabcase "HTTPServer" }} {{ kebabcase "GO_PATH" }} {{ kebabcase "my-app v2" }} {{ kebabcase "someAPIKey" }} {{ kebabcase "_x" }}
{{ camelcase "http_server" }} {{ camelcase "_camel_case" }} {{ camelcase "no_https" }} {{ camelcase "_complex__case_" }} {{ camelcase "all" }} {{ camelcase "GOLANG_IS_GREAT" }} {{ camelcase "FOO:BAR$BAZ" }} {{ camelcase "already-kebab case" }} {{ camelcase "a" }} {{ camelcase "-" }}
{{ wrap 5 "Hello World is long" }}
{{ wrap 3 "unbreakable words here" }}
{{ wrapWith 5 "\t" "Hello World unbreakable" }}
{{ wrapWith 2 "" "abcdef" }}
{{ split "$" "foo$bar$baz" }} {{ (split "$" "foo$bar$baz")._1 }}
{{ $s := splitn "$" 2 "foo$bar$baz" }}{{ $s._0 }} {{ $s._1 }}
{{ splitList "," "a,,b," }} {{ splitList "" "abc" }} {{ splitList "," "" | len }}
{{ join "-" (list 1 "a" true nil 2.5) }} {{ join "," "x" }} {{ list "a" "b" | join "," }}
{{ toStrings (list 1 2 "a") }} {{ toString 5 }} {{ toString true | quote }} {{ toString (list 1 2) }} {{ toString 2.50 }}
{{ sortAlpha (list "c" "a" "B" "b") }} {{ sortAlpha "x" }} {{ sortAlpha (list 10 9 1) }}
{{ atoi "42" }} {{ atoi "x" }} {{ atoi "" }}
{{ int "12" }} {{ int64 "0x1f" }} {{ int 3.9 }} {{ int true }} {{ int "1.0" }} {{ int "1.5" }} {{ int "010" }} {{ int "-7" }} {{ int nil }}
{{ float64 "1.5" }} {{ float64 2 }} {{ float64 "x" }} {{ float64 1e21 }} {{ float64 "0.00001" }}
{{ add 1 2 3 }} {{ add "1" 2.9 }} {{ add1 5 }} {{ sub 5 3 }} {{ mul 2 3 4 }} {{ div 7 2 }} {{ div -7 2 }} {{ mod 7 3 }} {{ mod -7 3 }} {{ add }}
{{ div 1 0 }}
{{ max 1 5 3 }} {{ biggest 2 9 }} {{ min 4 2 8 }} {{ max "7" 3 }} {{ maxf 1.5 2 }} {{ minf 1.5 "0.5" }}
{{ addf 0.1 0.2 }} {{ add1f 1.5 }} {{ subf 1.1 0.1 0.5 }} {{ mulf 1.1 1.1 }} {{ divf 10 4 }} {{ divf 1 3 }} {{ divf 2 3 }} {{ addf }} {{ divf -2 3 }} {{ mulf 3 4 }}
{{ floor 1.9 }} {{ ceil 1.1 }} {{ floor "2.5" }} {{ ceil -1.5 }} {{ floor 7 }}
{{ round 123.5555 3 }} {{ round 2.5 0 }} {{ round 123.49999 2 0.4 }} {{ round -1.5 0 }} {{ round "3.14159" 2 }}
{{ until 5 }} {{ until 0 }} {{ until -3 }} {{ untilStep 3 6 2 }} {{ untilStep 6 0 -2 }} {{ untilStep 0 3 -1 }}
{{ seq 5 }}|{{ seq -3 }}|{{ seq 0 }}|{{ seq 2 5 }}|{{ seq 5 2 }}|{{ seq 0 2 10 }}|{{ seq 5 -2 0 }}|{{ seq 5 2 0 }}|{{ seq }}|{{ seq 1 2 3 4 }}
{{ toDecimal "777" }} {{ toDecimal 10 }} {{ toDecimal "9" }}
{{ list 1 "a" true nil }} {{ tuple 1 2 }} {{ list }}
{{ append (list 1) 2 }} {{ push (list 1) "x" }} {{ mustAppend (list) 1 }} {{ prepend (list 1) 0 }} {{ mustPrepend (list) 0 }} {{ mustPush (list 1) 2 }}
{{ append "x" 1 }}
{{ first (list 1 2) }} {{ last (list 1 2) }} {{ rest (list 1 2 3) }} {{ initial (list 1 2 3) }} {{ mustFirst (list 5) }} {{ mustLast (list 5 6) }} {{ mustRest (list 1) }} {{ mustInitial (list 1 2) }}
{{ first (list) }} {{ rest (list) }} {{ initial (list) }}
{{ first "abc" }}
{{ first .MISSING }}
{{ reverse (list 1 2 3) }} {{ mustReverse (list "a") }} {{ compact (list 0 1 "" "a" nil) }} {{ mustCompact (list 1) }} {{ uniq (list 1 2 1 "1" 2) }} {{ mustUniq (list 1 1) }}
{{ without (list 1 2 3 2) 2 }} {{ without (list "a" "b") "a" "b" }} {{ mustWithout (list 1) 2 }} {{ has 2 (list 1 2) }} {{ has "2" (list 1 2) }} {{ has 1 nil }} {{ mustHas 1 (list 1) }}
{{ slice (list 1 2 3 4) 1 3 }} {{ slice (list 1 2 3) 1 }} {{ slice (list 1 2 3) }} {{ mustSlice (list 1 2 3) 0 2 }} {{ slice (list) 1 }}
{{ slice "abc" 1 2 }}
{{ slice (list 1 2) 1 5 }}
{{ concat (list 1) (list 2 3) (list) }} {{ concat }}
{{ chunk 2 (list 1 2 3 4 5) }} {{ chunk 3 (list 1 2 3) }} {{ mustChunk 1 (list 1) }}
{{ dict "a" 1 "b" "x" }} {{ dict }} {{ dict "odd" }} {{ dict 1 2 }}
{{ $d := dict "a" 1 }}{{ get $d "a" }}|{{ get $d "b" }}|{{ hasKey $d "a" }}{{ hasKey $d "b" }}
{{ $d := dict "a" 1 }}{{ $_ := set $d "b" 2 }}{{ $d }}{{ $d.b }}
{{ $d := dict "a" 1 "b" 2 }}{{ $_ := unset $d "b" }}{{ $d }}
{{ $d := dict "a" 1 }}{{ $d = set $d "b" 2 }}{{ $d.b }}
{{ set (dict "a" 1) "c" 3 }} {{ unset (dict "a" 1 "b" 2) "a" }}
{{ pluck "a" (dict "a" 1) (dict "b" 2) (dict "a" 3) }} {{ keys (dict "b" 1 "a" 2) | sortAlpha }} {{ values (dict "a" 1) }}
{{ pick (dict "a" 1 "b" 2 "c" 3) "a" "c" "z" }} {{ omit (dict "a" 1 "b" 2) "a" }}
{{ merge (dict "a" 1 "n" (dict "x" 1)) (dict "a" 2 "b" 3 "n" (dict "y" 2 "x" 9)) }}
{{ mergeOverwrite (dict "a" 1 "n" (dict "x" 1)) (dict "a" 2 "n" (dict "y" 2 "x" 9)) (dict "c" 4) }}
{{ mustMerge (dict "a" "") (dict "a" "x") }} {{ mustMergeOverwrite (dict "a" 1) (dict "a" 0) }}
{{ $d := dict "a" 1 }}{{ $e := dict "b" 2 }}{{ $_ := merge $d $e }}{{ $d }}
{{ dig "a" "b" "def" (dict "a" (dict "b" 5)) }} {{ dig "a" "z" "def" (dict "a" (dict "b" 5)) }} {{ dig "q" "r" "def" (dict) }}
{{ deepCopy (dict "a" (list 1)) }} {{ mustDeepCopy (list 1 2) }} {{ deepEqual (list 1 2) (list 1 2) }} {{ deepEqual 1 "1" }}
{{ typeOf "x" }} {{ typeOf 1 }} {{ typeOf 1.5 }} {{ typeOf true }} {{ typeOf (dict) }} {{ typeOf (list) }} {{ typeOf nil }}
{{ kindOf "x" }} {{ kindOf 1 }} {{ kindOf 1.5 }} {{ kindOf true }} {{ kindOf (dict) }} {{ kindOf (list) }}
{{ typeIs "string" "x" }} {{ typeIsLike "int" 1 }} {{ kindIs "slice" (list) }} {{ kindIs "map" (list) }}
{{ fromJson .JSON }} {{ (fromJson .JSON).b.c }} {{ index (fromJson .JSON).a 1 }} {{ (mustFromJson "{\"x\":\"y\"}").x }}
{{ fromJson "{bad" }}
{{ mustFromJson "{bad" }}
{{ toJson (dict "b" (list 1 2.5 "x" nil true) "a" (dict)) }} {{ toJson .HTML }} {{ toRawJson .HTML }} {{ toJson "a\nb\t\"\u2028" }} {{ mustToJson 1 }} {{ mustToRawJson "<" }}
{{ toPrettyJson (dict "b" (list 1 2) "a" (dict "x" "<") "e" (list) "f" (dict)) }} {{ mustToPrettyJson (list) }}
{{ fromJson .JSON | toJson }} {{ toJson 1.0 }} {{ toJson 1e21 }} {{ toJson 1e-7 }} {{ toJson 0.000001 }} {{ toJson 123456789.25 }}
{{ toJson . }}
{{ b64enc "hello world" }} {{ b64dec "aGVsbG8gd29ybGQ=" }} {{ b64enc .UNICODE }} {{ b64enc "" }}
{{ b64dec "a$b=" }}
{{ b32enc "hello" }} {{ b32enc "hello world" }} {{ b32dec "NBSWY3DP" }} {{ b32dec "NBSWY3DPEB3W64TMMQ======" }} {{ b32enc "" }}
{{ sha1sum "Hello world!" }} {{ sha256sum "Hello world!" }} {{ adler32sum "Hello world!" }} {{ adler32sum "" }}
{{ sha512sum .NAME }}
{{ sha256sum .TAG | trunc 8 }} {{ printf "%.7s" (sha1sum .NAME) }}
{{ env "NAME" }}|{{ env "NOT_THERE" }}|{{ expandenv "$NAME-${TAG}-$NOT_THERE-x" }}
{{ expandenv "a$ b$$ ${ ${NAME" }}
{{ expandenv "$NAME_x ${NAME}_x $1 100%" }}
{{ regexMatch "^v[0-9]+" .TAG }} {{ regexMatch "x" .TAG }} {{ mustRegexMatch "w.b" .NAME }} {{ regexMatch "(" "x" }}
{{ mustRegexMatch "(" "x" }}
{{ regexFind "[a-z][1-9]" "abcd1234" }} {{ mustRegexFind "[0-9]+" "a12b" }} [{{ regexFind "z" "a" }}]
{{ regexFindAll "[2,4,6,8]" "123456789" -1 }} {{ regexFindAll "[0-9]" "123" 2 }} {{ mustRegexFindAll "a*" "baaac" -1 }}
{{ regexReplaceAll "a(x*)b" "-ab-axxb-" "${1}W" }} {{ regexReplaceAll "a(x*)b" "-ab-axxb-" "$1W" }} {{ mustRegexReplaceAll "(?i)[^a-z0-9]+" .TEXT "-" | lower }}
{{ regexReplaceAllLiteral "a(x*)b" "-ab-axxb-" "${1}" }} {{ mustRegexReplaceAllLiteral "x" "axb" "$0" }}
{{ regexSplit "z+" "pizza" -1 }} {{ regexSplit "z" "pizza" 2 }} {{ mustRegexSplit "" "abc" -1 }} {{ regexSplit "a" "banana" -1 | len }} {{ regexSplit "x" "" -1 | len }} {{ regexSplit "b" "banana" -1 | toJson }} {{ regexSplit "," "a,b,c" 0 | len }}
{{ regexQuoteMeta "1.2.3+[x]#-&" }}
{{ regexFind "(" "x" }}
{{ $v := semver .TAG }}{{ $v.Major }}.{{ $v.Minor }}.{{ $v.Patch }} {{ (semver "1.2.3-beta.1+b5").Prerelease }} {{ (semver "1.2.3-beta.1+b5").Metadata }} {{ (semver "v1.2").Original }} {{ (semver "v1.2").String }}
{{ semver "x" }}
{{ semverCompare "1.2.3" .TAG }} {{ semverCompare "^1.2.0" "1.9.9" }} {{ semverCompare "^1.2.0" "2.0.0" }} {{ semverCompare "~1.2.0" "1.2.9" }} {{ semverCompare "~1.2.0" "1.3.0" }} {{ semverCompare ">=1.0, <2.0" "1.5.0" }} {{ semverCompare ">=1.0 <2.0" "2.5.0" }} {{ semverCompare "<1.0 || >=2.0" "2.5.0" }}
{{ semverCompare "1.x" "1.9.0" }} {{ semverCompare "1.2.x" "1.3.0" }} {{ semverCompare "*" "5.0.0" }} {{ semverCompare "1.2 - 1.4.5" "1.3.0" }} {{ semverCompare "1.2 - 1.4.5" "1.5.0" }} {{ semverCompare "!=1.2.3" "1.2.4" }} {{ semverCompare "!=1.x" "1.2.4" }} {{ semverCompare ">1" "1.5.0" }} {{ semverCompare ">1.2" "1.3.0" }} {{ semverCompare "<=1" "1.9.0" }} {{ semverCompare "<=1.2" "1.2.9" }} {{ semverCompare "<=1.2" "1.3.0" }}
{{ semverCompare ">=1.0.0" "1.2.0-beta" }} {{ semverCompare ">=1.0.0-0" "1.2.0-beta" }} {{ semverCompare "^0.2.3" "0.2.9" }} {{ semverCompare "^0.2.3" "0.3.0" }} {{ semverCompare "^0.0.3" "0.0.4" }} {{ semverCompare "^0" "0.9.0" }} {{ semverCompare "~1" "1.9.0" }} {{ semverCompare "~> 1.2.3" "1.2.4" }} {{ semverCompare "=1.2.3" "1.2.3" }} {{ semverCompare "1.2.3-alpha" "1.2.3-alpha" }} {{ semverCompare "<1.2.3-beta" "1.2.3-alpha" }} {{ semverCompare ">1.2.3-alpha.9" "1.2.3-alpha.10" }} {{ semverCompare "!=1.2.3" "1.2.4-beta" }}
{{ semverCompare "nope" "1.0.0" }}
{{ semverCompare ">1.0" "nope" }}
{{ urlParse "http://admin:secret@server.com:8080/api?list=false#anchor" }}
{{ (urlParse "https://h/p%20q?x=1").path }} {{ (urlParse "mailto:a@b.c").opaque }} {{ (urlParse "/only/path").path }} {{ (urlParse "http://[::1]:80/").hostname }} {{ (urlParse "HTTP://h").scheme }}
{{ urlJoin (dict "fragment" "f" "host" "host:80" "path" "/path" "query" "q=1" "scheme" "http" "userinfo" "u:p") }} {{ urlJoin (dict "scheme" "mailto" "opaque" "a@b") }} {{ urlJoin (dict "host" "h" "path" "p q" "scheme" "http") }} {{ urlJoin (dict "path" "/x") }}
{{ base "foo/bar.txt" }} {{ base "" }} {{ base "/" }} {{ base "a/b/" }} {{ dir "foo/bar/baz" }} {{ dir "x" }} {{ dir "/x" }} {{ dir "a/b/" }} {{ ext "a/b.tar.gz" }} {{ ext "a.b/c" }}.
{{ clean "a/../b/./c//d/" }} {{ clean "" }} {{ clean "/../a" }} {{ clean "../../x" }} {{ clean "a/.." }} {{ isAbs "/a" }} {{ isAbs "a" }} {{ osBase "/a/b" }} {{ osDir "/a/b" }} {{ osClean "/a/../b" }} {{ osExt "x.yml" }} {{ osIsAbs "/" }}
{{ date "2006-01-02T15:04:05Z07:00" 1700000000 }} {{ date "Mon Jan 2 15:04:05 MST 2006" 1700000000 }} {{ htmlDate 1700000000 }} {{ htmlDateInZone 1700000000 "America/New_York" }}
{{ dateInZone "2006-01-02 15:04:05.000 -0700 MST" 1700000000 "Europe/Berlin" }} {{ date_in_zone "Monday, 02-Jan-06 3:04PM" 1700000000 "Asia/Tokyo" }} {{ dateInZone "15h" 0 "No/Where" }} {{ dateInZone "January _2 002 __2 06 1 2 03 pm .999 ,000" 1704067200 "UTC" }}
{{ dateInZone "-07 -07:00 -0700 Z0700 Z07 -07:00:00" 1700000000 "Asia/Kolkata" }} {{ dateInZone "Z07:00 Z0700" 1700000000 "UTC" }} {{ dateInZone "2006_2006 Janet Monday Money 20060102150405 04a05" 1700000000 "UTC" }} {{ dateInZone "MST" 1700000000 "America/Sao_Paulo" }}
{{ toDate "2006-01-02" "2023-11-14" }} {{ toDate "2006-01-02" "2023-11-14" | unixEpoch }} {{ toDate "2006-01-02" "2023-11-14" | date "02/01/2006" }} {{ mustToDate "Jan 2, 2006 at 3:04pm (MST)" "Feb 3, 2013 at 7:54pm (UTC)" }}
{{ toDate "2006-01-02" "nope" }}
{{ mustToDate "2006-01-02" "nope" }}
{{ mustToDate "2006-01-02" "2023-02-30" }}
{{ toDate "2006-01-02T15:04:05Z07:00" "2023-11-14T10:00:00.25+02:00" | unixEpoch }} {{ toDate "2006-01-02T15:04:05Z07:00" "2023-11-14T10:00:00Z" }}
{{ toDate "2006-01-02" "2023-11-14" | dateModify "-1.5h" }} {{ toDate "2006-01-02" "2023-11-14" | date_modify "36h30m10s" | date "2006-01-02 15:04:05" }} {{ toDate "2006-01-02" "2023-11-14" | dateModify "bad" }} {{ toDate "2006-01-02" "2023-11-14" | mustDateModify "1m" }} {{ toDate "2006-01-02" "2023-11-14" | must_date_modify "24h" }}
{{ toDate "2006-01-02" "2023-11-14" | mustDateModify "bad" }}
{{ unixEpoch "x" }}
{{ duration "95" }} {{ duration "3700" }} {{ duration "5" }} {{ duration "x" }} {{ duration "86400" }}
{{ durationRound "2h10m5s" }} {{ durationRound "2400h10m5s" }} {{ durationRound "90s" }} {{ durationRound "-36h" }} {{ durationRound "500ms" }} {{ durationRound "8760h1s" }} {{ durationRound "x" }}
{{ uuidv4 | len }} {{ randAlphaNum 12 | len }} {{ randAlpha 5 | regexMatch "^[a-zA-Z]{5}$" }} {{ randNumeric 4 | regexMatch "^[0-9]{4}$" }} {{ randAscii 3 | len }} {{ shuffle "aaa" }} {{ randInt 5 6 }} {{ randBytes 6 | len }}
{{ .REPO }}/{{ .NAME }}:{{ .TAG | trimPrefix "v" | replace "." "-" }}-{{ .N | atoi | add 1 }}
{{ .TEXT | lower | replace "," "" | splitList " " | join "-" | trunc 12 | trimSuffix "-" }}
{{ .UNICODE | trunc 2 }}|{{ .UNICODE | len }}|{{ .UNICODE | upper | quote }}
{{ if semverCompare ">=1.0" .TAG }}stable{{ else }}dev{{ end }}
{{ $parts := splitList "." .TAG }}{{ first $parts }}_{{ last $parts }}
{{ with dict "x" (list 1 2) }}{{ range .x }}{{ . }},{{ end }}{{ end }}
{{- range $i := until 3 }}{{ if $i }},{{ end }}{{ $i }}{{ end -}}
{{ 1.0 }} {{ 2.50 }} {{ 1e6 }} {{ 1e21 }} {{ 100000000.0 }}
{{ list 1.0 2.5 1e6 }} {{ 3.0 | toString }} {{ mulf 1.0 3 | int }}
`

// The same with missingkey=error.
const strict = `
{{ .MISSING }}
{{ .NAME }}
{{ if .MISSING }}x{{ end }}
{{ index . "MISSING" }}
{{ .EMPTY }}.
{{ default "x" .MISSING }}
`

// Go's own functions alone, with missingkey=error.
const plain = `
{{ .NAME }}_{{ .TAG }}
{{ .NAME | upper }}
{{ cmd "date" }}
{{ .MISSING }}
{{ printf "%s-%s" .NAME .TAG }}
{{ slice .NAME 1 2 }}{{ slice .NAME 1 }}
{{ len .NAME }}
`
