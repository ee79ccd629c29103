#include "cli/output/hint.h"

#include <map>
#include <string>

#include "lib/base/error.h"

namespace slipway::cli {
namespace {

// By reason. A hint names the command to run or the thing to change; it never repeats the error.
const std::map<absl::string_view, absl::string_view>& Hints() {
  static const auto& hints = *new std::map<absl::string_view, absl::string_view>{
      // This program and the suite on this machine.
      {"ADDRESS_INSECURE", "use a unix socket, a loopback address or https://HOST:PORT"},
      {"ADDRESS_INVALID", "write unix:/path, HOST:PORT or https://HOST:PORT"},
      {"AMOUNT_INVALID", "write dollars with at most nine decimals, such as 12.50"},
      {"ANSWER_MISSING", "give every answer as an option, or run it on a terminal"},
      {"ARGUMENT_INVALID", "see the --help of the command"},
      {"ATTEMPT_MISSING", "slipway show TASK lists the attempts at a task"},
      {"BINARY_MISSING", "build or install the whole suite: its programs belong in one directory"},
      {"CODE_UNKNOWN", "slipway review explain lists every code"},
      {"CONFIG_INVALID", "correct the file at the line that is named"},
      {"COMMAND_FAILED",
       "run the command that is named by hand; git and python3 must be installed"},
      {"DATABASE_UNREADABLE", "name the file of a ledger of this version, or a copy of it"},
      {"CONFIG_UNREADABLE", "check the path and its permissions"},
      {"DATA_DIRECTORY_NOT_EMPTY", "choose a directory that is new with --data DIR"},
      {"DATA_DIRECTORY_UNUSABLE", "choose another directory with --data DIR"},
      {"DEMO_STUCK", "slipway demo --keep keeps the logs of what went wrong"},
      {"DRAFT_FAILED", "slipway demo --keep keeps the logs of what went wrong"},
      {"FILE_UNWRITABLE", "choose a directory that exists and that you may write"},
      {"FILE_UNREADABLE", "check the path and its permissions"},
      {"INTERRUPTED", "start it again; nothing of it is left"},
      {"LOCKED", "slipway down stops the suite that uses the directory"},
      {"NAME_AMBIGUOUS", "write more of the name, or the full name"},
      {"NOT_RUNNING", "slipway up --detach starts the suite"},
      {"PORT_TAKEN", "choose another port with --port N, or 0 for any"},
      {"PROJECT_MISSING", "name the project with --project ID; slipway init makes one"},
      {"RUNNING_ALREADY", "use it as it is, or stop it with slipway down"},
      {"SAMPLE_MISSING", "run it from a source tree or an installation, or give --example DIR"},
      {"SANDBOX_BROKEN", "allow unprivileged user namespaces, or run inside a container that may"},
      {"SANDBOX_MISSING", "install bubblewrap, for example: apt-get install bubblewrap"},
      {"SERVICE_FAILED", "the service's log says why; slipway doctor checks the rest"},
      {"START_TIMEOUT", "look into the logs that are named; slipway doctor checks the rest"},
      {"STOP_TIMEOUT", "wait longer with --timeout, or end the process that is named"},
      {"TOKEN_MISSING", "give --token-file FILE, or run on the machine of slipway up"},
      {"UNREACHABLE", "slipway up --detach starts the suite; slipway doctor says what is wrong"},
      {"USAGE", "see the --help of the command"},
      {"NOTHING_TO_CHANGE", "give at least one option that changes something; see --help"},
      // Access.
      {"EXPIRY_INVALID", "choose a time in the future"},
      {"TOKENS_TOO_MANY", "revoke tokens that nobody uses: slipway token list"},
      {"METHOD_UNKNOWN", "the suite is of another version than this program"},
      {"PERMISSION_DENIED", "use a token with the role that is named: slipway token create"},
      {"ROLE_DENIED", "use a token with the role that is named: slipway token create"},
      {"ROLE_FORBIDDEN", "use a token with the role that is named: slipway token create"},
      {"ROLE_INVALID", "write viewer, operator, reviewer or admin"},
      {"TITLE_INVALID", "write a title of 1 to 100 characters"},
      {"TOKEN_EXISTS", "choose another title, or revoke the old token: slipway token list"},
      {"TOKEN_INVALID", "ask an administrator for a token: slipway token create"},
      {"TOKEN_UNKNOWN", "slipway token list shows the tokens"},
      // Projects and repositories.
      {"BRANCH_INVALID", "write the branch as git shows it, such as main"},
      {"BRANCH_MISSING", "name a branch that exists: git branch --list shows them"},
      {"LOCATION_INVALID", "give an absolute path, or an https or ssh URL"},
      {"NAME_INVALID", "ids are 1 to 63 of a-z, 0-9 and '-'; slipway status shows names"},
      {"NOT_A_REPOSITORY", "give the directory that contains .git, or run git init there"},
      {"PLAN_TIER_MISSING", "say which allowance it may use: --plan-tier local, scripted or api"},
      {"POLICY_INVALID", "correct the setting that is named: slipway project update"},
      {"VALIDATOR_NOT_ALLOWED",
       "run one of the programs that are named, or allow it in validator_programs of agent and "
       "reviewer: see The data directory in cli/README.md"},
      {"PROJECT_ARCHIVED", "choose another project: slipway project list"},
      {"PROJECT_EXISTS", "choose another id, or change it: slipway project update"},
      {"PROJECT_UNKNOWN", "slipway project list shows the projects; slipway init makes one"},
      {"REPOSITORY_DIRTY", "commit or stash the changes in the work tree, then try again"},
      {"REPOSITORY_EMPTY", "make a first commit on the branch"},
      {"REPOSITORY_AUTH_REFUSED",
       "check the host's token_file or ssh_key_file among the reviewer's remotes"},
      {"REPOSITORY_HOST_UNKNOWN",
       "check the host's key, put it into known_hosts_file (ssh-keyscan prints it) or its "
       "certificate into ca_file"},
      {"REPOSITORY_TOO_LARGE", "raise bytes_max of the host among the reviewer's remotes"},
      {"PUSH_REFUSED", "let the reviewer's user push plan/ and integration/ branches there"},
      {"REPOSITORY_UNREACHABLE", "check the URL, the network and the access rights"},
      // Plans.
      {"AMENDMENT_PENDING", "it is handed over by itself; look again with slipway show PLAN"},
      {"AMENDMENT_UNDER_WAY", "look again in a moment: slipway show PLAN"},
      {"AMENDMENT_EMPTY", "give at least one option that changes something; see --help"},
      {"DEPENDENCY_UNKNOWN", "depend on ids of tasks of the same plan: slipway show PLAN"},
      {"EDIT_EMPTY", "give at least one option that changes something; see --help"},
      {"PATH_OUTSIDE", "use paths below the root of the repository, without '..'"},
      {"DRAFTS_SPENT", "reword or split the spec, then plan again"},
      {"PLAN_CYCLE", "remove one of the dependencies of the cycle that is named"},
      {"PLAN_EMPTY", "a plan needs at least one task"},
      {"PLAN_NAMES_SPENT", "give the plan another title: slipway plan --title"},
      {"PLAN_STATE", "slipway show PLAN says where the plan stands"},
      {"PLAN_TOO_LARGE", "split the spec into several"},
      {"PLAN_UNKNOWN", "slipway status shows the plans"},
      {"REQUIREMENT_INVALID", "correct the requirement that is named"},
      {"START_PENDING", "it is handed over by itself; look again with slipway watch PLAN"},
      {"STORED_PLAN_INVALID", "make the plan anew; the planner's log says what is wrong"},
      {"SPEC_EMPTY", "write what is wanted into the spec"},
      {"SPEC_NOT_TEXT", "the spec must be UTF-8 text"},
      {"SPEC_TOO_LARGE", "split the spec into several"},
      {"TASK_DUPLICATE", "give each task of a plan its own id"},
      {"TASK_INVALID", "correct the field that is named: slipway edit"},
      {"VERSION_MISMATCH", "somebody changed it meanwhile: look again and repeat"},
      {"VERSION_UNKNOWN", "slipway show PLAN says which version is the newest"},
      // Runs.
      {"ATTEMPT_UNKNOWN", "slipway show TASK lists the attempts at a task"},
      {"PATCH_MISSING",
       "slipway show TASK lists the attempts; slipway logs tells how far one came"},
      {"CHECKPOINT_RESOLVED", "it is decided already; slipway checkpoints --all shows how"},
      {"CHECKPOINT_UNKNOWN", "slipway checkpoints shows the open questions"},
      {"DECISION_INVALID", "choose one of the options of the question: slipway checkpoints"},
      {"GUIDANCE_TOO_LARGE", "say it in fewer words"},
      {"OFFSET_INVALID", "read the log from its beginning"},
      {"DRAIN_INVALID", "slipway hosts drain NAME --minutes N, or without it to let attempts end"},
      {"HOST_UNKNOWN", "slipway hosts lists the hosts"},
      {"RUN_STATE", "slipway show PLAN says where the run stands"},
      {"RUN_UNKNOWN", "the plan was never started: slipway run PLAN"},
      {"SCOPE_UNKNOWN", "name a project, plan or task that exists: slipway status"},
      {"TASKS_BEGUN",
       "leave these tasks as they are: edit again, slipway reject PLAN, or add a task after them"},
      {"TASK_STATE", "slipway show TASK says where the task stands"},
      {"TASK_UNKNOWN", "slipway show PLAN lists the tasks"},
      // Money.
      {"BUDGET_BUSY", "other calls hold the money: it frees by itself, or raise the limit"},
      {"BUDGET_DENIED", "raise the limit: slipway budget list, slipway budget set"},
      {"BUDGET_UNKNOWN", "slipway budget list shows the budgets"},
      {"GROUP_INVALID", "group by day, project, plan, task, attempt, role, provider or model"},
      {"KEY_REUSED", "use a new key for a new correction"},
      {"AUDIT_CANCELLED", "ask again when the ledger runs; a copy can be audited at any time"},
      {"AUDIT_RUNNING",
       "wait until it has ended, or audit a copy: slipway audit SERVICE --database FILE"},
      {"OWNER_FENCED", "the instance was taken for dead; start it anew"},
      {"PRICE_FILE_INVALID", "correct the file at the line that is named"},
      {"PRICE_INVALID", "correct the price that is named"},
      {"PRICE_SUSPICIOUS",
       "check the price; when it is meant: slipway budget prices import --accept"},
      {"PRICE_UNKNOWN", "no call is made without a price: slipway budget prices import FILE"},
      {"RESERVATION_OPEN", "wait until the call has ended"},
      {"RESERVATION_UNKNOWN", "slipway models calls shows the calls"},
      {"SCOPE_INVALID", "name a project, plan, task or role, or 'organisation'"},
      {"FIELD_INVALID", "the message names the field and what it may hold"},
      {"TIME_ZONE_FIXED", "set it with the time zone that is named: --time-zone"},
      {"TIME_ZONE_UNKNOWN", "use an IANA name such as Europe/Berlin"},
      // Models.
      {"APPROVAL_REQUIRED", "slipway models approve ROLE SCOPE lets calls of the role pass"},
      {"GATE_CLOSED", "the provider asked to wait: slipway models providers says until when"},
      {"GATE_UNKNOWN", "slipway models providers shows the closed gates"},
      {"LIFETIME_INVALID", "choose a lifetime of at most 24 hours"},
      {"LIMIT_INVALID", "choose a limit of 0 or more"},
      {"KEY_SUPERSEDED", "nothing: the attempt has a newer key"},
      {"ATTEMPT_REVOKED", "retry the task, which begins a new attempt"},
      {"PROMPT_INVALID", "correct the prompt as the message says"},
      {"PROMPT_TOO_LARGE", "give less context, or raise the limit of the route"},
      {"PROVIDER_REFUSED", "check the key and the settings of the provider"},
      {"PROVIDER_UNAVAILABLE", "the provider does not answer; it is tried again by itself"},
      {"CALL_UNKNOWN", "slipway models calls lists them"},
      {"CASSETTE_INVALID", "write it again: slipway models cassette export PLAN --out FILE"},
      {"CASSETTE_UNKNOWN",
       "slipway models cassette list shows what was recorded; slipway models record PROJECT "
       "begins"},
      {"RECORDING_UNKNOWN",
       "slipway models cassette list shows what is recorded; what the configuration of models "
       "names "
       "ends there"},
      {"DECISION_UNKNOWN", "slipway show PLAN tells which tasks have had attempts"},
      {"DIALECT_UNSUPPORTED", "route the role to a provider that speaks it: slipway models routes"},
      {"REQUEST_ID_REQUIRED", "give the request an id of its own, so that a repeat is known"},
      {"ROLE_UNKNOWN", "slipway models routes shows the roles"},
      {"ROUTE_MISSING",
       "configure a provider: slipway up --models-config FILE; see docs/quickstart.md"},
      // Reading.
      {"CHANGE_UNKNOWN", "nothing was handed in yet: slipway show TASK"},
      {"BRANCH_MOVED", "a change landed meanwhile: look at the plan and try again"},
      {"COMMIT_UNKNOWN", "name a commit of the project's repository"},
      {"FILE_TOO_LARGE", "read it from a clone of the repository"},
      {"FILE_UNKNOWN", "name a path that exists in the commit"},
      {"FILTER_INVALID", "use at most 50 kinds, such as task. or budget.denied"},
      {"LANDING_UNDER_WAY", "try again: a landing takes milliseconds"},
      {"QUEUE_WAITING", "slipway queue PLAN tells what the change waits for"},
      {"OID_INVALID", "write a commit as 40 hexadecimal digits"},
      {"PLAN_INTEGRATED", "git revert -m 1 COMMIT on the branch that it went to takes it back"},
      {"TASK_NOT_MERGED", "slipway show PLAN tells which tasks are merged, and as what"},
      {"PAGE_INVALID", "start again without a page token"},
      {"PAGE_SIZE_INVALID", "use a page size of 0 or more"},
      {"PATH_INVALID", "write a path relative to the root of the repository"},
      {"RESUME_TOKEN_EXPIRED", "watch again without a resume token"},
      {"RESUME_TOKEN_FOREIGN", "watch again without a resume token"},
      {"RESUME_TOKEN_INVALID", "watch again without a resume token"},
      {"BACKEND_UNAVAILABLE", "the service is started again by itself; slipway doctor says more"},
      {"SERVICE_UNAVAILABLE", "it is being restarted; slipway doctor says more"},
      {"SHUTTING_DOWN", "the suite is being stopped; slipway up starts it again"},
      {"CALLS_EXHAUSTED", "try again in a moment, or raise calls_max of the models service"},
      {"QUEUE_FULL", "too much at once: try again in a moment"},
  };
  return hints;
}

absl::string_view HintForCode(absl::StatusCode code) {
  switch (code) {
    case absl::StatusCode::kOk:
      return "";
    case absl::StatusCode::kInvalidArgument:
    case absl::StatusCode::kOutOfRange:
      return "see the --help of the command";
    case absl::StatusCode::kNotFound:
      return "slipway status shows what exists";
    case absl::StatusCode::kPermissionDenied:
      return "use a token with a higher role: slipway token create";
    case absl::StatusCode::kUnauthenticated:
      return "give a valid token with --token-file FILE";
    case absl::StatusCode::kUnavailable:
      return "slipway up --detach starts the suite; slipway doctor says what is wrong";
    case absl::StatusCode::kDeadlineExceeded:
      return "try again; slipway doctor says whether the services are well";
    case absl::StatusCode::kUnimplemented:
      return "the suite is of another version than this program";
    default:
      return "slipway doctor checks the suite; its logs are in the data directory";
  }
}

}  // namespace

std::string HintFor(const absl::Status& status) {
  const auto found = Hints().find(base::ReasonOf(status));
  return std::string(found != Hints().end() ? found->second : HintForCode(status.code()));
}

bool HasHint(absl::string_view reason) { return Hints().count(reason) != 0; }

}  // namespace slipway::cli
