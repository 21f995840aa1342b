#!/usr/bin/env bash
# The main job by the public API: an account, a token, a character from one sentence, a talk with it.
# Needs bash, curl and python3 (to read JSON). Usage: docs/main-job.sh [http://127.0.0.1:3000]
set -euo pipefail
site=${1:-http://127.0.0.1:3000}
jar=$(mktemp)
trap 'rm -f "$jar"' EXIT

# field NAME: reads one field of the JSON on standard input, for example `field id` or `field items.0.name`.
field() { python3 -c 'import functools, json, sys
print(functools.reduce(lambda v, k: v[int(k)] if k.isdigit() else v[k], sys.argv[1].split("."), json.load(sys.stdin)))' "$1"; }
json() { curl --silent --show-error --fail-with-body --header 'content-type: application/json' "$@"; }

name="wanderer_$RANDOM$RANDOM"
echo "1. An account for $name; the answer carries a session cookie."
json --cookie-jar "$jar" "$site/api/accounts" \
    --data "{\"username\": \"$name\", \"email\": \"$name@example.org\", \"password\": \"a quiet lamp by the ninth sea\", \"birth_date\": \"1990-01-31\"}" | field username

echo "2. A token, shown this once; from here on it stands for the person."
token=$(json --cookie "$jar" "$site/api/tokens" --data '{"name": "main job", "scopes": ["read", "write"]}' | field token)
auth="authorization: Bearer $token"

echo "3. Characters who are awake:"
json --header "$auth" "$site/api/ocs?limit=3" | python3 -c 'import json, sys
for oc in json.load(sys.stdin)["items"]: print("  ", oc["name"], oc["url"])'

echo "4. A character from one sentence (the local model takes its time):"
character=$(json --header "$auth" --max-time 600 "$site/api/oc/summon" \
    --data '{"description": "A shy lighthouse keeper who collects storms in glass jars"}')
oc=$(field id <<<"$character")
field name <<<"$character"
field description <<<"$character"

echo "5. A message; the answer is the stream of the reply."
curl --silent --show-error --no-buffer --fail-with-body --max-time 300 "$site/api/chat/$oc/message" \
    --header "$auth" --header 'content-type: application/json' --header 'accept: text/event-stream' \
    --header "idempotency-key: first-$name" --data '{"content": "Good evening. What do you keep in the jars?"}' | grep -E '^(event|data):'

echo "6. The same message again under the same key: nothing is said twice."
again=$(json --header "$auth" --header "idempotency-key: first-$name" "$site/api/chat/$oc/message" \
    --data '{"content": "Good evening. What do you keep in the jars?"}')
conversation=$(field conversation_id <<<"$again")

echo "7. The conversation as it is kept:"
json --header "$auth" "$site/api/conversations/$conversation/messages" | python3 -c 'import json, sys
items = json.load(sys.stdin)["items"]
for m in items: print("  ", m["sender"] + ":", m["content"])
assert sum(m["sender"] == "user" for m in items) == 1, "one message was sent"
assert items[-1]["sender"] == "oc" and items[-1]["content"].strip(), "it was answered"'
echo done
