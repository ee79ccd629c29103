# Run inside an agent's container, as a validator: says what it can reach and see, and ends with 1
# when that is more than the two sockets that it was given. Run anywhere else it ends with 1, too.
breaches=0
say() { echo "probe: $*"; }
breach() { say "BREACH $*"; breaches=$((breaches + 1)); }

# Succeeds when its command fails: "refused NAME COMMAND...".
refused() {
  name=$1
  shift
  if "$@" >/dev/null 2>&1; then breach "$name"; else say "refused $name"; fi
}

interfaces=$(grep -c : /proc/net/dev)
if [ "$interfaces" = 1 ] && grep -q 'lo:' /proc/net/dev; then say "refused network"; else breach "has a network"; fi
if [ "$(grep -c . /proc/net/route)" = 1 ]; then say "refused routes"; else breach "has routes"; fi
refused "an address" curl --silent --max-time 2 http://192.0.2.1/
refused "an address of IPv6" curl --silent --max-time 2 'http://[2001:db8::1]/'
refused "a name" curl --silent --max-time 2 http://example.org/
refused "the engine" curl --silent --max-time 2 --unix-socket /run/docker.sock http://engine/version
refused "the engine elsewhere" curl --silent --max-time 2 --unix-socket /var/run/docker.sock http://engine/version
for port in 80 443 2375 2376 8080; do
  refused "port $port of loopback" curl --silent --max-time 1 http://127.0.0.1:$port/
done

sockets=$(ls /run/slipway)
[ "$sockets" = "agent.yaml
agents.sock
models.sock" ] && say "sees two sockets" || breach "sees in /run/slipway: $sockets"
answer=$(curl --silent --max-time 5 --unix-socket /run/slipway/models.sock --output /dev/null \
  --write-out '%{http_code}' --data '{}' http://models/v1/chat/completions)
[ "$answer" = 401 ] && say "reaches models, which refuses it" || breach "models answered $answer"
# Without the agent's token the dispatcher has nothing for it. The body is an empty message.
printf '\000\000\000\000\000' | curl --silent --max-time 5 --unix-socket /run/slipway/agents.sock --http2-prior-knowledge \
  --request POST --header 'content-type: application/grpc' --header 'te: trailers' \
  --data-binary @- --dump-header - --output /dev/null \
  http://dispatcher/slipway.agent.v1.AgentService/SubmitResult > /tmp/answer 2>/dev/null
grep -qi 'grpc-status: 0' /tmp/answer && breach "the dispatcher served it without a token"
grep -qi 'grpc-status: 16' /tmp/answer && say "reaches the dispatcher, which refuses it" ||
  breach "the dispatcher did not refuse it: $(cat /tmp/answer)"

status=/proc/self/status
for line in 'CapPrm:.0000000000000000' 'CapEff:.0000000000000000' 'CapBnd:.0000000000000000' \
  'NoNewPrivs:.1' 'Seccomp:.2'; do
  grep -q "$line" $status && say "has $line" || breach "lacks $line"
done
grep -q '^Uid:.0' $status && breach "is root" || say "is not root"
refused "writing to the root" sh -c 'echo x > /probe'
refused "writing beside the sockets" sh -c 'echo x > /run/slipway/probe'
refused "the agent's environment" cat /proc/1/environ
refused "the agent's memory" sh -c 'cat /proc/1/maps | grep .'
refused "the agent's files" ls /proc/1/fd
kill -TERM 1 2>/dev/null
kill -KILL 1 2>/dev/null
say "the agent lives on"

say "$breaches breaches"
[ "$breaches" = 0 ]
