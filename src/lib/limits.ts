/** Every bound of the system in one place. Units end the names. Add yours in its group; say why where it is not obvious. */
export const LIMITS = {
  http: {
    /** As upstream's MaxRequestBodyBytes. */
    bodyBytes: 3 * 1024 * 1024,
    headerBytes: 64 * 1024,
    urlBytes: 16 * 1024,
    /** First lines of requests that are kept as they were read, and how long method and URL may be for that. */
    knownRequests: 256,
    knownChars: 256,
    /** JSON nesting; deeper input is refused before anything walks it. */
    nesting: 256,
    /** Bodies on their way in, all together: each costs ten times as much once it is decoded. */
    bodiesBytes: 24 * 1024 * 1024,
    /** Logs, execs and port-forwards at once. */
    longRequests: 500,
    connections: 2000,
    /** Of one HTTP/2 connection: what it may make us hold, and how many headers, settings, pings and bad frames. */
    sessionMegabytes: 10,
    headerPairs: 256,
    settingsPerFrame: 32,
    outstandingPings: 10,
    invalidFrames: 100,
    /** As upstream's: a client sends its first headers within this, and an idle connection ends after that. */
    headersTimeoutMs: 32_000,
    idleTimeoutMs: 90_000,
    handshakeTimeoutMs: 10_000,
    /** TCP asks whether a silent client is still there. */
    keepAliveMs: 60_000,
    /** A client that sends a body slower than this is cut off. */
    bodyTimeoutMs: 30_000,
    /** What is left of a body that was refused may come this long. */
    refusedBodyMs: 1_000,
    requestTimeoutMs: 60_000,
    /** As upstream: smaller answers are not worth compressing. */
    gzipFromBytes: 128 * 1024,
    /** Bodies up to this go to an HTTP/1.1 client as text, in one write with their head. */
    textBodyBytes: 16 * 1024,
    /** HTTP/2 streams at once on one connection, as upstream. */
    streamsPerConnection: 250,
    /** Streams a client may reset at once, and a second from then on, before its connection ends (nghttp2's defaults). */
    streamResets: 1000,
    streamResetsPerSecond: 33,
    /** `Warning` headers of one answer, and each of them where they are more, as upstream. */
    warningsChars: 4096,
    warningChars: 256,
    /**
     * Lists are written in pieces of about this size: more than the 64 KiB that a socket takes before it asks to wait, so
     * that the next piece is made in the same bytes.
     */
    listChunkBytes: 96 * 1024,
    /** How long the datastore may take to answer a health check, as upstream's for etcd. */
    storageCheckMs: 2000,
    /** How long a stopping server waits for requests under way. */
    drainMs: 5_000,
  },
  api: {
    /** Far beyond any real quantity; arithmetic on longer ones costs quadratic time. */
    quantityChars: 128,
    quantityExponent: 128,
    selectorChars: 64 * 1024,
    /** Names of fields whose path elements are kept, and how long one may be. */
    fieldElements: 2048,
    fieldElementChars: 64,
    /** Unknown or duplicate fields named in one answer, as upstream. */
    strictErrors: 100,
    /** YAML takes a second to parse where JSON takes ten milliseconds; kubectl and helm send JSON. */
    yamlBytes: 256 * 1024,
    yamlAliases: 100,
    /** Regular expressions of clients: groups in groups (as Go), steps, and what a match remembers of its way. */
    regexpDepth: 1000,
    regexpInstructions: 50_000,
    regexpStates: 200,
    regexpPositions: 20_000,
    regexpTransitions: 256,
  },
  customResources: {
    /** Compiled regular expressions kept. */
    patterns: 200,
    /**
     * Steps of regular expressions for one object, some seconds of a small board at worst. An expression that remembers
     * its way needs next to none, one that tries thousands of ways at every character needs millions.
     */
    patternSteps: 500_000,
    /** Parts of compiled schemas kept (about 200 bytes each); the longest unused goes first. */
    compiledNodes: 30_000,
    /** What all rules of a schema may cost for one object, in upstream's units (RuntimeCELCostBudget). */
    rulesCost: 10_000_000,
    /** Writes that may have been under way, checked under the schema of before, when a definition changed. */
    raceRevisions: 1024,
    /** Objects shown to a conversion webhook in one request; how long it may take. */
    convertedAtOnce: 100,
    conversionMs: 30_000,
    /** Objects of a definition that is deleted, removed at once. */
    deletesAtOnce: 64,
    retryBaseMs: 100,
    retryMaxMs: 30_000,
  },
  object: {
    /** Encoded size of one stored object, as etcd's default request limit. */
    encodedBytes: 1_572_864,
    annotationsBytes: 256 * 1024,
    /** Values of one ConfigMap or Secret, as upstream's MaxSecretSize. */
    payloadBytes: 1024 * 1024,
  },
  cel: {
    /** As upstream's parser: longer expressions are refused. */
    expressionChars: 100_000,
    /** Nesting of an expression; nodes after macros are expanded. */
    depth: 250,
    nodes: 200_000,
    /** Cost of one run of one expression, in upstream's units (PerCallLimit). */
    callCost: 1_000_000,
    /** Cost of all expressions of one policy for one request, as upstream's RuntimeCELCostBudget. */
    policyCost: 10_000_000,
    /** Cost of the match conditions of one webhook or policy, as upstream's RuntimeCELCostBudgetMatchConditions. */
    matchConditionsCost: 2_500_000,
    /** Of what a messageExpression says, as upstream. */
    messageBytes: 5 * 1024,
    /** Of an audit annotation, as upstream; failures told in one. */
    auditValueBytes: 10 * 1024,
    auditFailures: 50,
    /** Regular expressions kept compiled. */
    patterns: 32,
    /** Characters, items and comparisons one run may handle that upstream's cost leaves out. */
    steps: 3_000_000,
    /** Of a result that becomes part of an object: its characters, and 16 for each value; a request has no more. */
    resultChars: 3 * 1024 * 1024,
  },
  admission: {
    /** Pods of a namespace that are held to a stricter level when it gets one; upstream's number. */
    podSecurityPods: 3000,
    /** How long a pod waits for the account that its new namespace is about to get. */
    accountAttempts: 10,
    accountRetryMs: 100,
    /** How long something admitted counts against quotas although the cache does not show it. */
    quotaReservationMs: 10_000,
    /** Namespaces with such reservations. */
    quotaNamespaces: 256,
  },
  eviction: {
    /** As upstream's MaxDisruptedPodSize. */
    disruptedPods: 2000,
    /** Tries to take from a budget that others change at the same time. */
    attempts: 20,
  },
  registry: {
    /** As upstream's maxNameGenerationCreateAttempts. */
    generateNameAttempts: 8,
    /** Tries of an update without a resourceVersion of its own before it answers 409. */
    updateAttempts: 50,
    /** Objects read and deleted at once by deletecollection. */
    deleteCollectionPage: 500,
  },
  stream: {
    /** Streams at once on one SPDY connection: connections forwarded, two each. */
    spdyStreams: 512,
    /** How long a client may take to open the streams of an exec, as upstream. */
    openMs: 30_000,
    messageBytes: 1024 * 1024,
  },
  backend: {
    /** How long a Service or address may take to accept a connection, and to shake hands, as Go's defaults. */
    connectMs: 30_000,
    handshakeMs: 10_000,
    /** Connections kept to one backend while nothing goes over them, and for how long. */
    idlePerBackend: 4,
    idleMs: 30_000,
    /** Requests and upgraded connections to pods and Services under way, each with a connection of its own. */
    proxied: 500,
    /** The answer of a webhook: the largest object as a patch, or a page of converted ones. */
    webhookAnswerBytes: 8 * 1024 * 1024,
  },
  aggregator: {
    /** How long an aggregated API server may take to say what it serves, as upstream. */
    questionMs: 5000,
    documentBytes: 8 * 1024 * 1024,
    /** How often one that is available is asked again whether it is, and what it serves. */
    recheckMs: 60_000,
    retryBaseMs: 100,
    retryMaxMs: 30_000,
    /** Asked at once after a first failure: another endpoint may answer. */
    attempts: 4,
    /** How often one that was available may fail all of them, 100 ms apart, before that counts. */
    doubts: 2,
    /** How old its OpenAPI index may be before it is read anew for a client. */
    indexMs: 60_000,
  },
  watch: {
    /** Past events kept per resource, so that a watcher can resume. */
    ringBytes: 1024 * 1024,
    ringEvents: 1000,
    /** Events older than this are kept only in so much room: few ever resume from that far back. */
    ringMs: 300_000,
    ringOldBytes: 128 * 1024,
    /** Objects share buffers of this size; larger ones get their own. */
    slabBytes: 128 * 1024,
    /** Objects read at a time when a cache fills. */
    loadPage: 500,
    /** Distinct strings and label sets remembered to be shared. */
    interned: 4096,
    /** Parsed objects that readers of a change share, and the size of their JSON. */
    recent: { objects: 128, bytes: 512 * 1024 },
    /** Events an in-process watcher may leave unread before it has to list again. */
    lagEvents: 20_000,
    /** Undelivered bytes after which a slow watcher is dropped with 410. */
    lagBytes: 4 * 1024 * 1024,
    /** What all slow watchers together may leave unread before the slowest are dropped. */
    totalLagBytes: 32 * 1024 * 1024,
    /** How long watchers wait at most after all were served, which took as long. */
    restMs: 10,
    perServer: 2000,
    perUser: 1000,
    bookmarkMs: 60_000,
    minTimeoutMs: 1_800_000,
  },
  datastore: {
    /** Writes joined into one commit. */
    batchWrites: 512,
    /** Requests that are enough for a commit of their own while as many more are still being read. */
    halfCrowd: 4,
    queueWrites: 20_000,
    /** Revisions reserved at once; how far the counter may jump after a crash. */
    revisionBlock: 10_000,
    /** How often volatile writes (Leases, Events) reach the disk. */
    volatileFlushMs: 6 * 3_600_000,
    /** Unflushed volatile values beyond this are flushed early. */
    volatileBytes: 2 * 1024 * 1024,
    /** Superseded volatile changes kept for `changes`. */
    volatileHistory: 256,
    /** Revisions left free below a commit under way, so that volatile writes need not wait for the disk. */
    revisionGap: 16,
    /** SQLite's page cache (its default is 16 MB). */
    cacheKiB: 2000,
    /** Pages in the write-ahead log before they move to the database: fewer moves wear flash less. */
    walPages: 1000,
    walBytes: 4 * 1024 * 1024,
    /** Rows examined in one step of a compaction, so that commits never wait long behind it. */
    sweepRows: 500,
    /** History kept for watchers and paged lists: this much time, but never more than so many changes. */
    keepMs: 300_000,
    keepChanges: 20_000,
    /** Changes between two compactions, to spare flash on a quiet cluster. */
    compactEvery: 2000,
    snapshots: 3,
    /** Room kept on the disk for a start when it is full. */
    reserveBytes: 512 * 1024,
    snapshotEveryMs: 24 * 3_600_000,
    /** After a start the first snapshot waits, so that it does not compete with pods starting. */
    snapshotDelayMs: 600_000,
    /** Added to the newest revision of a restored snapshot: more than could have been used since it was taken. */
    restoreJump: 2 ** 32,
  },
  controllers: {
    /** Kinds that the expressions of one policy are checked against, as upstream's maxTypesToCheck. */
    policyKinds: 10,
    /** Objects of one page of a storage migration; how long it waits for a resource that nobody serves. */
    migrationPage: 100,
    migrationWaitMs: 60_000,
    /** Pods created or deleted for one owner in one go. */
    burstPods: 500,
    /** Pause between replacing failed pods of one DaemonSet, doubled each time. */
    daemonRetryBaseMs: 1000,
    daemonRetryMaxMs: 900_000,
    /** A granted eviction that did not happen by then no longer counts (upstream: DeletionTimeout). */
    disruptionGrantMs: 120_000,
    jobBackoffBaseMs: 10_000,
    jobBackoffMaxMs: 600_000,
    /** A node that did not renew its lease for so long is unreachable (upstream: node-monitor-grace-period). */
    nodeSilenceMs: 40_000,
    /** Finished pods kept for a look at their logs. Upstream keeps 12,500; a board has no room for those. */
    terminatedPods: 1000,
    /** A node may be away for so long before its pods go (upstream: quarantineTime). */
    orphanGraceMs: 40_000,
    /** As upstream: readers of one changed slice reread this many at most. */
    endpointsPerSlice: 100,
    /** An Endpoints object holds no more; slices hold all. */
    endpointsAddresses: 1000,
    /** Changes of a quota's usage within this time are one write. */
    quotaStatusDelayMs: 500,
    /** Signing requests are kept so long once they are settled, and while nobody decides (upstream's cleaner). */
    csrSettledMs: 3_600_000,
    csrPendingMs: 24 * 3_600_000,
    /** How often a node is looked at whose name another board asks for. */
    nameLookMs: 2000,
    /** Tokens are looked at again at least so often: the clock may have been set. */
    tokenLookMs: 24 * 3_600_000,
    namespaceRetryBaseMs: 1000,
    namespaceRetryMaxMs: 30_000,
  },
  informer: {
    /** Objects read by one LIST request. */
    pageObjects: 500,
    retryBaseMs: 500,
    retryMaxMs: 30_000,
    /** How long the server may take before copies on the disk stand in, and once it is known to be away. */
    offlineAfterMs: 3000,
    outageMs: 200,
    /** Changes within this are written to the disk together. */
    keptDelayMs: 5000,
    keptUrgentDelayMs: 200,
    /** Between tries to write where the disk does not take it. */
    keptRetry: { baseMs: 5000, maxMs: 600_000 },
    /** What one copy may cost a flash card when its objects change all the time: 5.5 MB a day; and in a burst. */
    keptBytesPerSecond: 64,
    keptBurstBytes: 64 * 1024,
    keptBytes: 16 * 1024 * 1024,
  },
  events: {
    /** Different events waiting to be written; the oldest goes when one more comes. */
    queue: 1000,
    /** Remembered events, so that a repetition only counts up (client-go's LRU). */
    remembered: 1024,
    /** One source may say this much about one object at once, then one event per `refillMs`. */
    burst: 25,
    refillMs: 300_000,
    /** Different messages with one reason about one object, within `similarMs`, before they are combined. */
    similar: 10,
    similarMs: 600_000,
    writeAttempts: 5,
    retryBaseMs: 1000,
  },
  client: {
    /** For requests that end; each watch has a connection of its own besides. */
    connections: 16,
    watches: 1024,
    connectTimeoutMs: 10_000,
    /** Longer than the pause between two heartbeats, so that these need no new connection. */
    keepAliveMs: 30_000,
    requestTimeoutMs: 60_000,
    /** A watch without a byte for so long is dead: three missed bookmarks. */
    watchSilenceMs: 200_000,
    /** One watch event; more than the largest object, since JSON of other servers may be wider. */
    watchLineBytes: 16 * 1024 * 1024,
  },
  tunnel: {
    /** Streams at once to one node. */
    calls: 256,
    /** Unread bytes of one direction of one stream; with a round trip of 50 ms, 2.6 MB/s. */
    windowBytes: 128 * 1024,
    /** Of one stream at a time, so that others come in between. */
    sliceBytes: 32 * 1024,
    /** One message; requests and errors are the largest. */
    messageBytes: 256 * 1024,
    /** A document that a node shows, such as its list of pods. */
    documentBytes: 8 * 1024 * 1024,
    /** Unsent bytes of a link after which its other end counts as one that does not read. */
    unsentBytes: 16 * 1024 * 1024,
    /** While something streams: silence for twice this ends the link. */
    pingMs: 10_000,
    /** While nothing does, the kernel asks after this, and gives up ten seconds later. */
    keepAliveMs: 30_000,
    connectTimeoutMs: 10_000,
    retry: { baseMs: 500, maxMs: 30_000 },
    /** A connection that held for so long was good: the next one is tried soon. */
    steadyMs: 60_000,
  },
  network: {
    /** Changes of Services within this are applied as one. */
    coalesceMs: 50,
    retry: { baseMs: 500, maxMs: 60_000 },
    /** Where there are other boards: how often their routes are looked for, since a link that was down takes them along. */
    routeCheckMs: 30_000,
    /** How often a board looks whether it still has its address, and again after it seems to have another. */
    addressCheckMs: 30_000,
    addressSettleMs: 3000,
    /** What VXLAN adds to a packet over IPv4. */
    vxlanBytes: 50,
    /** `conntrack` runs after one change. */
    staleFlows: 32,
  },
  dns: {
    /** Questions waiting for an upstream at once; more are refused. */
    inflight: 256,
    /** One try; the next server follows. */
    upstreamTimeoutMs: 2000,
    upstreamTries: 3,
    cacheEntries: 512,
    cacheMaxTtlSeconds: 30,
    /** EDNS: the largest answer over UDP (DNS flag day 2020). */
    udpBytes: 1232,
    tcpConnections: 64,
    tcpIdleMs: 10_000,
    cnameDepth: 8,
  },
  runtime: {
    /** One image, on a slow line and a slow card. */
    pullTimeoutMs: 30 * 60_000,
    /** Restarts of the event stream. */
    eventsRetryBaseMs: 250,
    eventsRetryMaxMs: 10_000,
    /** How long the event stream may take to show that it listens. */
    eventsReadyMs: 5000,
    /** Events one subscriber may be behind before it is told to list instead. */
    eventQueue: 1000,
    /** Output kept of a probe or hook. */
    execSyncOutputBytes: 16 * 1024,
    /** How long the client of a killed process may take to end by itself. */
    execKillMs: 1000,
    /** The same where the process may only be starting, on a slow and busy board. */
    execStartMs: 30_000,
    /** How long what a command has left behind may hold its output in silence after its end, as containerd's shim. */
    execDrainMs: 2000,
    /** How often, and after what pauses, a new session's terminal is looked for, and when its client surely listens. */
    terminalTries: 100,
    terminalRetryMs: 50,
    terminalReadyMs: 500,
    /** Restarts of containerd itself. */
    containerdRetryBaseMs: 500,
    containerdRetryMaxMs: 30_000,
    containerdReadyMs: 30_000,
    /** Pods without a sandbox whose last addresses are remembered. */
    rememberedPods: 512,
    /** containerd's own log, cut when it starts. */
    containerdLogBytes: 1024 * 1024,
  },
  agent: {
    /** CrashLoopBackOff and ImagePullBackOff, as upstream. */
    crashBackoffMs: 10_000,
    crashBackoffMaxMs: 300_000,
    pullBackoffMs: 10_000,
    pullBackoffMaxMs: 300_000,
    /** Images pulled at once; a card and a radio are slow. */
    concurrentPulls: 2,
    /** Containers started, sandboxes made and torn down at once, over all pods. */
    concurrentStarts: 4,
    concurrentSandboxes: 4,
    concurrentTeardowns: 4,
    /** Between SIGTERM and SIGKILL at the least, as upstream. */
    minimumGraceMs: 2000,
    /** A SIGKILL without an exit is sent again after this. */
    killRetryMs: 10_000,
    hookTimeoutMs: 120_000,
    /** As upstream: a termination message, and all of a pod's together; the tail of a log that stands in. */
    terminationMessageBytes: 4096,
    terminationMessageLogBytes: 2048,
    terminationMessageLogLines: 80,
    /** Body of an HTTP probe that is read, as upstream; the part of a probe's output that reaches an event. */
    probeBodyBytes: 10 * 1024,
    probeRedirects: 10,
    statusRetryBaseMs: 500,
    statusRetryMaxMs: 60_000,
    /** Changes of one pod's status within this become one write. */
    statusDelayMs: 20,
    /** Memory that pods cannot ask for: below this much free, eviction begins. */
    reservedMemoryBytes: 100 * 1024 * 1024,
    /** How often memory and disk of the node are looked at: a few small reads. */
    headroomMs: 10_000,
    /** How long a stopping agent waits for answers of a server that may be gone. */
    farewellMs: 2000,
    /** Between two evictions. */
    evictionPauseMs: 30_000,
    /** An image pulled or used within this is not collected, as upstream. */
    imageMinimumAgeMs: 120_000,
    leaseSeconds: 40,
    /** A server that lost its power says nothing: this long, and a renewal still comes in time by another way. */
    requestTimeoutMs: 15_000,
    /** Renewals in a row disturbed by somebody else before that is said. */
    rivalConflicts: 3,
    leaseRenewMs: 10_000,
    nodeStatusMs: 300_000,
    imagesInStatus: 50,
    /** How long the API may take before known pods are started from the disk; informers fall back a little earlier. */
    offlineAfterMs: 3500,
    /** How long who asks for a container just after a start waits for the first look at what runs. */
    firstSightMs: 10_000,
    tokenRetryMs: 500,
    /** A pod that does not take a connection by then does not take one. */
    connectPodMs: 10_000,
    /** A pod that started without a token gets one this soon after the API is back. */
    tokenMissingMs: 15_000,
    /** Between tries to give a running container other limits. */
    resizeRetryMs: 10_000,
    /** How long a volume waits for a signer, looking first after the one, then less often; later it is tried again. */
    certificateLookMs: 50,
    certificateWaitMs: 7000,
    /** Between tries to renew the token of a running pod that was refused. */
    refreshRetryMs: 60_000,
    /** One log of one container; above, its front is dropped. */
    logBytes: 10 * 1024 * 1024,
    /** How often a log that grows is looked at, and one that cannot be watched. */
    logSampleMs: 1000,
    logRetryMs: 10_000,
    /** Keys of one ConfigMap or Secret volume are small; so is everything read back. */
    resolvConfBytes: 64 * 1024,
    environmentBytes: 1024 * 1024,
  },
  join: {
    /** One certificate in PEM is one kilobyte. */
    authorityBytes: 64 * 1024,
    /** How long a signing request may take: longer than a server needs to see that the last owner of a name is silent. */
    certificateMs: 90_000,
    /** A request that takes longer than this is said. */
    certificateSayMs: 3000,
    retryBaseMs: 1000,
    retryMaxMs: 60_000,
    /** Between two tries to join again while pods run. */
    rejoinBaseMs: 10_000,
    rejoinMaxMs: 600_000,
    /** How often a certificate's end is looked at: the clock may have been set meanwhile. */
    renewalLookMs: 24 * 3_600_000,
    renewalRetryMs: 3_600_000,
    /** Renewals of many boards are spread over this long. */
    renewalSpreadMs: 10 * 24 * 3_600_000,
    /** Addresses of servers remembered. */
    servers: 16,
  },
  pki: {
    /** How often the end of the server's certificates is looked at: the clock may have been set meanwhile. */
    renewalLookMs: 24 * 3_600_000,
    renewalRetryMs: 3_600_000,
  },
  fairness: {
    /** Requests under way in all levels but the exempt one: upstream's 400 reads and 200 writes. */
    seats: 600,
    /** Requests under way of those who are exempt (administrators, probes): they never wait, but memory ends. */
    exempt: 1000,
    /** Requests that wait, over all levels: each holds its connection's buffers. */
    waiting: 1000,
    /** How long a request waits for its turn, as upstream: a quarter of the request timeout. */
    waitMs: 15_000,
    /** Users whose schemas are remembered. */
    users: 512,
    /** Objects in a list that weigh as much as one small request, and the most that a list weighs. */
    objectsPerSeat: 500,
    listSeats: 10,
  },
  audit: {
    /** Events that wait for the disk; more are dropped and counted. */
    queueBytes: 2 * 1024 * 1024,
    /** A longer event loses its objects, as upstream's 100 KB. */
    eventChars: 100 * 1024,
    /** Between two complaints that the log cannot be written. */
    sayErrorMs: 60_000,
  },
  metrics: {
    /** Series of one family, and characters of one label: both come from clients. */
    series: 1000,
    labelChars: 64,
  },
  authn: {
    /** Tokens whose signature was checked and is remembered. */
    verifiedTokens: 512,
  },
  scheduler: {
    /** Back-off of a pod that found no node, as upstream's. */
    backoffBaseMs: 1000,
    backoffMaxMs: 10_000,
    /** A pod that no event concerned is tried again after this long. */
    unschedulableMs: 300_000,
    /** Placed pods whose binding is on its way to the API server. */
    concurrentBinds: 64,
    /** How long the scheduler works before it lets others have the event loop. */
    sliceMs: 8,
    /** How long a pod waits for its volumes to be provisioned before it is scheduled anew. */
    volumeBindMs: 600_000,
  },
  memory: {
    /** After so much was written, garbage is given back once less than the other comes in a span of quiet. */
    tidyAfterBytes: 1024 * 1024,
    quietMs: 5000,
    quietBytes: 64 * 1024,
    /** Less garbage is not worth the pause that its collection is. */
    worthBytes: 4 * 1024 * 1024,
    /** Collecting more than this stops a small board for seconds: then V8 goes on as it sees fit. */
    tooLargeBytes: 192 * 1024 * 1024,
  },
  process: {
    /** How long stopping may take before a process that begins anew does so all the same; a unit has as long. */
    restartStopMs: 60_000,
  },
  backup: {
    /** Packing a large database on a slow card, with a small processor. */
    timeoutMs: 30 * 60_000,
  },
  exec: {
    /** Output kept of a child process. */
    outputBytes: 4 * 1024 * 1024,
    concurrent: 8,
    timeoutMs: 120_000,
  },
} as const;
