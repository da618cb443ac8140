CREATE TABLE alerts (
	alert_id TEXT NOT NULL,
	deployment TEXT NOT NULL,
	model TEXT NOT NULL,
	kind TEXT NOT NULL,
	subject TEXT NOT NULL,
	message TEXT NOT NULL,
	raised_at BIGINT NOT NULL,
	last_seen_at BIGINT NOT NULL,
	count BIGINT NOT NULL,
	resolved_at BIGINT,
	report TEXT,
	PRIMARY KEY (alert_id)
);

CREATE INDEX alerts_by_deployment ON alerts (deployment, raised_at);

CREATE TABLE approvals (
	id INTEGER NOT NULL,
	model TEXT NOT NULL,
	version BIGINT NOT NULL,
	actor TEXT NOT NULL,
	approved BOOLEAN NOT NULL,
	reason TEXT NOT NULL,
	at BIGINT NOT NULL,
	version_digest TEXT,
	gates_digest TEXT,
	expires_at BIGINT,
	attested TEXT DEFAULT '' NOT NULL,
	PRIMARY KEY (id)
);

CREATE INDEX approvals_by_version ON approvals (model, version);

CREATE TABLE artifacts (
	digest TEXT NOT NULL,
	content_digest TEXT NOT NULL,
	format TEXT NOT NULL,
	type_name TEXT NOT NULL,
	size_bytes BIGINT NOT NULL,
	created_at BIGINT NOT NULL,
	unsafe BOOLEAN NOT NULL,
	inline BLOB,
	metadata TEXT NOT NULL,
	PRIMARY KEY (digest, content_digest)
);

CREATE INDEX artifacts_by_content ON artifacts (content_digest);

CREATE TABLE audit (
	id INTEGER NOT NULL,
	at BIGINT NOT NULL,
	actor TEXT NOT NULL,
	action TEXT NOT NULL,
	subject TEXT NOT NULL,
	facts TEXT NOT NULL,
	attested TEXT NOT NULL,
	hash TEXT NOT NULL,
	PRIMARY KEY (id)
);

CREATE INDEX audit_by_subject ON audit (subject, id);

CREATE TABLE counters (
	name TEXT NOT NULL,
	value BIGINT NOT NULL,
	PRIMARY KEY (name)
);

CREATE TABLE deployment_events (
	id INTEGER NOT NULL,
	name TEXT NOT NULL,
	kind TEXT NOT NULL,
	message TEXT NOT NULL,
	at BIGINT NOT NULL,
	facts TEXT NOT NULL,
	PRIMARY KEY (id)
);

CREATE INDEX deployment_events_by_name ON deployment_events (name, id);

CREATE TABLE deployments (
	name TEXT NOT NULL,
	model TEXT NOT NULL,
	state TEXT NOT NULL,
	weights TEXT NOT NULL,
	control BIGINT NOT NULL,
	updated_at BIGINT NOT NULL,
	generation BIGINT NOT NULL,
	rollout TEXT,
	form TEXT,
	PRIMARY KEY (name)
);

CREATE TABLE document_files (
	kind TEXT NOT NULL,
	"key" TEXT NOT NULL,
	path TEXT NOT NULL,
	digest TEXT NOT NULL,
	content_digest TEXT NOT NULL,
	at BIGINT NOT NULL,
	PRIMARY KEY (kind, "key", path)
);

CREATE TABLE documents (
	kind TEXT NOT NULL,
	"key" TEXT NOT NULL,
	owner TEXT NOT NULL,
	updated_at BIGINT NOT NULL,
	body TEXT NOT NULL,
	revision BIGINT NOT NULL,
	PRIMARY KEY (kind, "key")
);

CREATE INDEX documents_by_owner ON documents (owner, kind);

CREATE TABLE edges (
	source TEXT NOT NULL,
	target TEXT NOT NULL,
	role TEXT NOT NULL,
	PRIMARY KEY (source, target, role)
)
 WITHOUT ROWID;

CREATE INDEX edges_by_target ON edges (target, source, role);

CREATE TABLE experiment_tags (
	experiment TEXT NOT NULL,
	"key" TEXT NOT NULL,
	value TEXT NOT NULL,
	PRIMARY KEY (experiment, "key")
)
 WITHOUT ROWID;

CREATE TABLE experiments (
	name TEXT NOT NULL,
	created_at BIGINT NOT NULL,
	note TEXT NOT NULL,
	archived_at BIGINT,
	deleted_at BIGINT,
	PRIMARY KEY (name)
);

CREATE TABLE grants (
	user TEXT NOT NULL,
	project TEXT NOT NULL,
	role TEXT NOT NULL,
	actor TEXT NOT NULL,
	at BIGINT NOT NULL,
	source TEXT DEFAULT '' NOT NULL,
	expires_at BIGINT,
	PRIMARY KEY (user, project, role)
)
 WITHOUT ROWID;

CREATE TABLE hooks (
	name TEXT NOT NULL,
	url TEXT NOT NULL,
	form TEXT NOT NULL,
	secret TEXT,
	events TEXT NOT NULL,
	created_at BIGINT NOT NULL,
	paused_at BIGINT,
	delivered BIGINT NOT NULL,
	delivered_at BIGINT,
	error TEXT,
	PRIMARY KEY (name)
);

CREATE TABLE journals (
	journal TEXT NOT NULL,
	position BIGINT NOT NULL,
	at BIGINT NOT NULL,
	PRIMARY KEY (journal)
);

CREATE TABLE leases (
	name TEXT NOT NULL,
	slot BIGINT NOT NULL,
	holder TEXT NOT NULL,
	until BIGINT NOT NULL,
	PRIMARY KEY (name, slot)
);

CREATE TABLE metric_chunks (
	run_id TEXT NOT NULL,
	"key" TEXT NOT NULL,
	chunk_id BIGINT NOT NULL,
	count BIGINT NOT NULL,
	points BLOB NOT NULL,
	outline BLOB NOT NULL,
	PRIMARY KEY (run_id, "key", chunk_id)
)
 WITHOUT ROWID;

CREATE TABLE model_tags (
	model TEXT NOT NULL,
	"key" TEXT NOT NULL,
	value TEXT NOT NULL,
	PRIMARY KEY (model, "key")
)
 WITHOUT ROWID;

CREATE TABLE model_versions (
	model TEXT NOT NULL,
	version BIGINT NOT NULL,
	stage TEXT NOT NULL,
	run_id TEXT,
	trained_by TEXT NOT NULL,
	artifact TEXT NOT NULL,
	content_digest TEXT NOT NULL,
	created_at BIGINT NOT NULL,
	report TEXT,
	profile TEXT,
	signature TEXT NOT NULL,
	metrics TEXT NOT NULL,
	gates TEXT NOT NULL,
	card TEXT,
	revision BIGINT NOT NULL,
	note TEXT NOT NULL,
	onnx TEXT,
	PRIMARY KEY (model, version)
);

CREATE UNIQUE INDEX one_production_version ON model_versions (model) WHERE stage = 'production';

CREATE TABLE models (
	model TEXT NOT NULL,
	created_at BIGINT NOT NULL,
	note TEXT NOT NULL,
	PRIMARY KEY (model)
);

CREATE TABLE outbox (
	id INTEGER NOT NULL,
	event_id TEXT NOT NULL,
	hook TEXT NOT NULL,
	kind TEXT NOT NULL,
	run_id TEXT NOT NULL,
	at BIGINT NOT NULL,
	due_at BIGINT NOT NULL,
	step TEXT,
	step_run_id TEXT,
	facts TEXT NOT NULL,
	attempts BIGINT NOT NULL,
	state TEXT NOT NULL,
	error TEXT,
	PRIMARY KEY (id),
	UNIQUE (event_id)
);

CREATE INDEX outbox_by_hook ON outbox (hook, state, id);

CREATE TABLE predictions (
	id INTEGER NOT NULL,
	prediction_id TEXT NOT NULL,
	deployment TEXT NOT NULL,
	model TEXT NOT NULL,
	version BIGINT NOT NULL,
	at BIGINT NOT NULL,
	inputs TEXT NOT NULL,
	prediction TEXT,
	unit TEXT,
	score FLOAT,
	latency_s FLOAT NOT NULL,
	warnings TEXT NOT NULL,
	truth TEXT,
	truth_at BIGINT,
	error TEXT,
	row_index BIGINT DEFAULT '0' NOT NULL,
	features TEXT,
	form TEXT,
	PRIMARY KEY (id),
	UNIQUE (prediction_id)
);

CREATE INDEX predictions_by_time ON predictions (deployment, at);

CREATE TABLE projects (
	name TEXT NOT NULL,
	names TEXT NOT NULL,
	created_at BIGINT NOT NULL,
	note TEXT NOT NULL,
	PRIMARY KEY (name)
);

CREATE TABLE reports (
	id INTEGER NOT NULL,
	report_id TEXT NOT NULL,
	deployment TEXT NOT NULL,
	model TEXT NOT NULL,
	version BIGINT NOT NULL,
	at BIGINT NOT NULL,
	drifted BOOLEAN NOT NULL,
	artifact TEXT NOT NULL,
	summary TEXT NOT NULL,
	PRIMARY KEY (id),
	UNIQUE (report_id)
);

CREATE INDEX reports_by_deployment ON reports (deployment, at);

CREATE TABLE requests (
	request TEXT NOT NULL,
	at BIGINT NOT NULL,
	answer TEXT NOT NULL,
	PRIMARY KEY (request)
);

CREATE INDEX requests_by_time ON requests (at);

CREATE TABLE runs (
	id INTEGER NOT NULL,
	run_id TEXT NOT NULL,
	name TEXT NOT NULL,
	experiment TEXT NOT NULL,
	pipeline TEXT,
	entry TEXT,
	state TEXT NOT NULL,
	seed TEXT NOT NULL,
	created_at BIGINT NOT NULL,
	attempt BIGINT NOT NULL,
	parent_run_id TEXT,
	started_at BIGINT,
	ended_at BIGINT,
	heartbeat_at BIGINT,
	host TEXT NOT NULL,
	pid BIGINT NOT NULL,
	pid_started FLOAT NOT NULL,
	user TEXT NOT NULL,
	error TEXT,
	provenance TEXT,
	graph TEXT,
	note TEXT NOT NULL,
	"group" TEXT DEFAULT '' NOT NULL,
	forked_from TEXT,
	forked_at FLOAT,
	archived_at BIGINT,
	deleted_at BIGINT,
	process TEXT DEFAULT '' NOT NULL,
	presumed_at BIGINT,
	missed TEXT DEFAULT '[]' NOT NULL,
	PRIMARY KEY (id),
	UNIQUE (run_id)
);

CREATE INDEX runs_alive ON runs (state) WHERE state IN ('queued', 'running');

CREATE INDEX runs_by_experiment ON runs (experiment, created_at);

CREATE INDEX runs_by_parent ON runs (parent_run_id);

CREATE INDEX runs_by_state ON runs (state, created_at);

CREATE INDEX runs_by_time ON runs (created_at);

CREATE TABLE schedules (
	name TEXT NOT NULL,
	pipeline TEXT NOT NULL,
	entry TEXT NOT NULL,
	"trigger" TEXT NOT NULL,
	created_at BIGINT NOT NULL,
	params TEXT NOT NULL,
	options TEXT NOT NULL,
	created_by TEXT NOT NULL,
	paused_at BIGINT,
	cursor TEXT,
	looked_at BIGINT,
	error TEXT,
	revision BIGINT NOT NULL,
	PRIMARY KEY (name)
);

CREATE TABLE sessions (
	session_id TEXT NOT NULL,
	user TEXT NOT NULL,
	digest TEXT NOT NULL,
	created_at BIGINT NOT NULL,
	expires_at BIGINT NOT NULL,
	seen_at BIGINT NOT NULL,
	address TEXT NOT NULL,
	token_id TEXT,
	PRIMARY KEY (session_id)
);

CREATE UNIQUE INDEX sessions_by_digest ON sessions (digest);

CREATE TABLE settings (
	name TEXT NOT NULL,
	value TEXT NOT NULL,
	PRIMARY KEY (name)
);

CREATE TABLE sign_in_failures (
	"key" TEXT NOT NULL,
	count BIGINT NOT NULL,
	at BIGINT NOT NULL,
	PRIMARY KEY ("key")
);

CREATE TABLE snapshots (
	id INTEGER NOT NULL,
	source TEXT NOT NULL,
	run_id TEXT,
	at BIGINT NOT NULL,
	schema TEXT NOT NULL,
	ordered_digest TEXT NOT NULL,
	order_free_digest TEXT NOT NULL,
	rows BIGINT NOT NULL,
	read TEXT DEFAULT '{}' NOT NULL,
	PRIMARY KEY (id)
);

CREATE INDEX snapshots_by_source ON snapshots (source, id);

CREATE TABLE stage_events (
	id INTEGER NOT NULL,
	model TEXT NOT NULL,
	version BIGINT NOT NULL,
	from_stage TEXT NOT NULL,
	to_stage TEXT NOT NULL,
	actor TEXT NOT NULL,
	reason TEXT NOT NULL,
	at BIGINT NOT NULL,
	hash TEXT NOT NULL,
	PRIMARY KEY (id)
);

CREATE INDEX stage_events_by_model ON stage_events (model, id);

CREATE TABLE step_logs (
	id INTEGER NOT NULL,
	step_run_id TEXT NOT NULL,
	time BIGINT NOT NULL,
	stream TEXT NOT NULL,
	text TEXT NOT NULL,
	PRIMARY KEY (id)
);

CREATE INDEX step_logs_by_step ON step_logs (step_run_id);

CREATE TABLE ticks (
	id INTEGER NOT NULL,
	schedule TEXT NOT NULL,
	"key" TEXT NOT NULL,
	due_at BIGINT NOT NULL,
	state TEXT NOT NULL,
	facts TEXT NOT NULL,
	reason TEXT NOT NULL,
	run_id TEXT,
	attempt BIGINT NOT NULL,
	holder TEXT,
	until BIGINT,
	ended_at BIGINT,
	error TEXT,
	PRIMARY KEY (id)
);

CREATE UNIQUE INDEX one_tick_per_key ON ticks (schedule, "key");

CREATE INDEX ticks_by_time ON ticks (schedule, due_at);

CREATE INDEX ticks_going_on ON ticks (state) WHERE state IN ('queued', 'running', 'waiting');

CREATE TABLE tokens (
	token_id TEXT NOT NULL,
	user TEXT NOT NULL,
	digest TEXT NOT NULL,
	created_at BIGINT NOT NULL,
	label TEXT NOT NULL,
	role TEXT,
	project TEXT NOT NULL,
	expires_at BIGINT,
	used_at BIGINT,
	revoked_at BIGINT,
	PRIMARY KEY (token_id)
);

CREATE UNIQUE INDEX tokens_by_digest ON tokens (digest);

CREATE TABLE users (
	name TEXT NOT NULL,
	created_at BIGINT NOT NULL,
	kind TEXT NOT NULL,
	full_name TEXT NOT NULL,
	password_hash TEXT,
	subject TEXT,
	disabled_at BIGINT,
	seen_at BIGINT,
	PRIMARY KEY (name)
);

CREATE UNIQUE INDEX users_by_subject ON users (subject);

CREATE TABLE version_metrics (
	model TEXT NOT NULL,
	version BIGINT NOT NULL,
	"key" TEXT NOT NULL,
	value FLOAT,
	PRIMARY KEY (model, version, "key")
)
 WITHOUT ROWID;

CREATE TABLE version_tags (
	model TEXT NOT NULL,
	version BIGINT NOT NULL,
	"key" TEXT NOT NULL,
	value TEXT NOT NULL,
	PRIMARY KEY (model, version, "key")
)
 WITHOUT ROWID;

CREATE TABLE metric_summaries (
	run_id TEXT NOT NULL,
	"key" TEXT NOT NULL,
	first FLOAT,
	last FLOAT,
	min FLOAT,
	max FLOAT,
	count BIGINT NOT NULL,
	last_step FLOAT NOT NULL,
	last_time BIGINT DEFAULT '0' NOT NULL,
	PRIMARY KEY (run_id, "key"),
	FOREIGN KEY(run_id) REFERENCES runs (run_id) ON DELETE CASCADE
)
 WITHOUT ROWID;

CREATE INDEX metric_summaries_by_value ON metric_summaries ("key", last);

CREATE TABLE proofs (
	id INTEGER NOT NULL,
	run_id TEXT NOT NULL,
	kind TEXT NOT NULL,
	verdict TEXT NOT NULL,
	at BIGINT NOT NULL,
	details TEXT NOT NULL,
	PRIMARY KEY (id),
	FOREIGN KEY(run_id) REFERENCES runs (run_id) ON DELETE CASCADE
);

CREATE INDEX proofs_by_run ON proofs (run_id);

CREATE TABLE run_artifacts (
	run_id TEXT NOT NULL,
	name TEXT NOT NULL,
	digest TEXT NOT NULL,
	content_digest TEXT NOT NULL,
	at BIGINT NOT NULL,
	PRIMARY KEY (run_id, name),
	FOREIGN KEY(run_id) REFERENCES runs (run_id) ON DELETE CASCADE
)
 WITHOUT ROWID;

CREATE TABLE run_params (
	run_id TEXT NOT NULL,
	"key" TEXT NOT NULL,
	value TEXT NOT NULL,
	text TEXT NOT NULL,
	number FLOAT,
	start TEXT DEFAULT '' NOT NULL,
	PRIMARY KEY (run_id, "key"),
	FOREIGN KEY(run_id) REFERENCES runs (run_id) ON DELETE CASCADE
)
 WITHOUT ROWID;

CREATE INDEX run_params_by_number ON run_params ("key", number);

CREATE INDEX run_params_by_text ON run_params ("key", start);

CREATE TABLE run_tags (
	run_id TEXT NOT NULL,
	"key" TEXT NOT NULL,
	value TEXT NOT NULL,
	start TEXT DEFAULT '' NOT NULL,
	PRIMARY KEY (run_id, "key"),
	FOREIGN KEY(run_id) REFERENCES runs (run_id) ON DELETE CASCADE
)
 WITHOUT ROWID;

CREATE INDEX run_tags_by_value ON run_tags ("key", start);

CREATE TABLE step_decisions (
	id INTEGER NOT NULL,
	run_id TEXT NOT NULL,
	step TEXT NOT NULL,
	approved BOOLEAN NOT NULL,
	actor TEXT NOT NULL,
	reason TEXT NOT NULL,
	at BIGINT NOT NULL,
	PRIMARY KEY (id),
	FOREIGN KEY(run_id) REFERENCES runs (run_id) ON DELETE CASCADE
);

CREATE INDEX step_decisions_by_run ON step_decisions (run_id);

CREATE TABLE step_runs (
	id INTEGER NOT NULL,
	step_run_id TEXT NOT NULL,
	run_id TEXT NOT NULL,
	step TEXT NOT NULL,
	position BIGINT NOT NULL,
	state TEXT NOT NULL,
	"key" TEXT,
	seed TEXT NOT NULL,
	attempt BIGINT NOT NULL,
	started_at BIGINT,
	ended_at BIGINT,
	inputs TEXT NOT NULL,
	outputs TEXT NOT NULL,
	addresses TEXT NOT NULL,
	error TEXT,
	traceback TEXT,
	cached_from TEXT,
	facts TEXT NOT NULL,
	PRIMARY KEY (id),
	UNIQUE (step_run_id),
	FOREIGN KEY(run_id) REFERENCES runs (run_id) ON DELETE CASCADE
);

CREATE INDEX step_runs_by_key ON step_runs ("key") WHERE state = 'finished' AND key IS NOT NULL;

CREATE INDEX step_runs_by_run ON step_runs (run_id, position);
