package import NIOCore

/// Deadlines and bounds of an edge.
package struct EdgeLimits: Sendable {
    // MARK: Visitors

    /// TCP accept to the end of the TLS handshake.
    package var visitorHandshake: TimeAmount = .seconds(10)
    /// From the handshake to the end of the first request head.
    package var requestHead: TimeAmount = .seconds(15)
    /// Between two requests of a connection.
    package var keepAlive: TimeAmount = .seconds(75)
    /// From the last byte of a request to the response head. An upload that moves does not count.
    package var responseHead: TimeAmount = .seconds(100)
    /// Silence in both directions of a request. A WebSocket may be silent.
    package var streamIdle: TimeAmount = .hours(1)
    /// Between two looks whether a visitor whose stream goes on is still admitted.
    package var admissionCheck: TimeAmount = .seconds(15)
    /// How long we go on reading an upload that was answered early, so that the visitor sees the answer.
    package var linger: TimeAmount = .seconds(5)
    /// Visitor connections at once.
    package var visitorConnections = 10_000
    /// Bytes of a request head.
    package var requestHeadBytes = 64 << 10
    /// Header fields of a request head.
    package var requestHeadFields = 256
    /// Request parts kept while an earlier request of the connection is served (pipelining).
    package var pipelinedParts = 1024
    /// Requests at once on one HTTP/2 connection.
    package var visitorStreams = 250

    // MARK: A link that fails under a request

    /// Bytes of a request's body that are kept until the answer begins, so that another link can carry them.
    package var repeatableBytes = 64 << 10
    /// How long a request may wait for a new link when the last one broke: connectors are back sooner, or not at all.
    package var newLink: TimeAmount = .seconds(2)
    /// Between two looks for a new link.
    package var linkLook: TimeAmount = .milliseconds(100)
    /// Between two looks whether the link of a request without an answer may be dead.
    package var linkWatch: TimeAmount = .seconds(1)

    // MARK: Account API

    /// Bytes of a request body to the account API; the largest real one has a few hundred.
    package var accountBodyBytes = 16 << 10
    /// Receiving the body, and separately answering it.
    package var accountAnswer: TimeAmount = .seconds(30)
    /// Account requests, verifications of tokens, and requests that wait for a look at the store: each kind for itself.
    package var asides = 1000

    // MARK: Access

    /// Bytes of a request body to the Access service.
    package var accessBodyBytes = 64 << 10
    /// Receiving such a body, and separately answering it. The transfer store holds its answer for most of a minute.
    package var accessAnswer: TimeAmount = .seconds(58)
    /// Tokens whose claims are remembered.
    package var verifiedTokens = 10_000
    /// Refusals of strangers from one address that the audit log keeps within one window; the others are counted.
    package var refusalsKept = 20
    package var refusalWindow: TimeAmount = .seconds(60)
    /// How long a frame on its way to a visitor who lost access may take to end, before it is cut.
    package var frameEnd: TimeAmount = .milliseconds(200)
    /// How long such a visitor has to read why its WebSocket ended.
    package var socketFarewell: TimeAmount = .milliseconds(500)

    // MARK: Links

    /// From the ready link to the accepted registration.
    package var registration: TimeAmount = .seconds(15)
    /// Registered and unregistered links together.
    package var links = 10_000
    /// Links that have not registered yet.
    package var unregisteredLinks = 500
    /// From our refusal to closing the connection, so that the connector can read it.
    package var refusalDelay: TimeAmount = .milliseconds(100)

    // MARK: Life

    /// How long a visitor's connection that is idle may still bring a request once the edge was asked to stop: whoever asks
    /// in this time is served and told to connect anew, instead of writing into a connection that is being closed.
    package var farewell: TimeAmount = .seconds(1)

    /// How long running requests may go on after the edge was asked to stop.
    package var drain: TimeAmount = .seconds(30)
    /// How long a connector's streams may go on after it said goodbye: the longest grace period it may be given, and a
    /// little more. The connector closes the link when its own time is up.
    package var connectorDrain: TimeAmount = .seconds(190)
    /// Between two looks at the store's version.
    package var storePoll: Duration = .milliseconds(250)

    package init() {}
}
