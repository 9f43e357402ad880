package import ByteStream
package import NIOCore
package import NIOHTTP1

/// One request of a visitor and its answer: a head each way, then a body each way as a `BytePipe`.
///
/// Made by `VisitorHandler` when a request head is complete; lives until both directions are over. HTTP/1.1 and HTTP/2
/// look the same here. `abort` after a complete answer gives up the rest of the upload only.
// Safety: confined to the visitor's event loop by the contract of BytePipe; references only cross loops.
package final class VisitorExchange: BytePipe, @unchecked Sendable {
    package let request: VisitorRequest
    /// False when the request ended with its head.
    package let hasBody: Bool
    /// Names this request in the logs of all hops.
    package let ray: String
    package let connection: VisitorConnection
    package let eventLoop: any EventLoop

    /// When the visitor last sent something.
    private(set) var lastReceived = NIODeadline.now()
    private let inbox = PipeInbox()
    /// Nil once the exchange is over.
    private var handler: VisitorHandler?
    private var answer = Answer.awaited
    private(set) var requestOver = false
    private var continueOwed: Bool
    private var upgradeOpen: Bool
    private var heldTrailers: HTTPHeaders?

    private enum Answer {
        /// No head was sent.
        case awaited
        /// The bytes that Content-Length still owes; nil when it did not say.
        case body(owed: Int?)
        /// The head was sent; this answer has no body (HEAD, 204, 304).
        case bodiless
        case ended
    }

    init(
        request: VisitorRequest, hasBody: Bool, connection: VisitorConnection, handler: VisitorHandler,
        eventLoop: any EventLoop
    ) {
        self.request = request
        self.hasBody = hasBody
        self.connection = connection
        self.handler = handler
        self.eventLoop = eventLoop
        ray = ForwardedHeaders.newRay()
        continueOwed = request.expectsContinue && hasBody
        upgradeOpen = request.isWebSocket
    }

    /// Whether a head was sent.
    package var isAnswered: Bool {
        if case .awaited = answer { false } else { true }
    }

    /// Whether the connection may carry another request after this one.
    var leavesConnectionUsable: Bool { !continueOwed && !request.isWebSocket }

    // MARK: The answer

    /// Sends the head of the answer; the body follows by `write` and `finish`. Once.
    package func respond(status: Int, headers: HTTPHeaders) {
        guard case .awaited = answer, let handler else { return }
        // Whoever is answered with success may go on uploading, and waits for leave to.
        if continueOwed, status < 400 { grantUpload() }
        var headers = headers
        let length = headers.first(name: "content-length").flatMap { Int($0) }
        if request.method == "HEAD" || status == 204 || status == 304 {
            answer = .bodiless
            if status == 204 { headers.remove(name: "content-length") }
            handler.sendHead(status: status, headers: headers, framing: .bodiless, of: self)
        } else {
            answer = .body(owed: length)
            handler.sendHead(status: status, headers: headers, framing: length == nil ? .open : .counted, of: self)
        }
    }

    /// Answers with one of the edge's own pages, whole.
    func respond(with page: EdgePage) {
        let asHTML = request.headers[canonicalForm: "accept"].contains { $0.hasPrefix("text/html") }
        let (headers, body) = page.render(asHTML: asHTML, ray: ray)
        respond(status: page.status, headers: headers, body: body)
    }

    /// Answers whole.
    func respond(status: Int, headers: HTTPHeaders, body: ByteBuffer) {
        guard !isAnswered else { return }
        respond(status: status, headers: headers)
        write(body)
        finish(trailers: nil)
    }

    /// Accepts the WebSocket: sends 101 and turns the connection into raw bytes.
    package func upgrade(headers: HTTPHeaders) throws -> ChannelPipe {
        guard upgradeOpen, case .awaited = answer, let handler else { throw PipeError.aborted }
        upgradeOpen = false
        answer = .ended
        self.handler = nil
        return try handler.becomeRaw(headers: headers)
    }

    /// The request is an ordinary one after all: its end, which an upgrade would not have meant, may be delivered. Call
    /// after `respond`, when whoever takes the body is attached.
    func declineUpgrade() {
        guard upgradeOpen else { return }
        upgradeOpen = false
        if requestOver { inbox.finished(trailers: heldTrailers) }
    }

    // MARK: BytePipe

    package var isWritable: Bool { handler?.isWritable ?? false }

    package func attach(_ sink: any BytePipeSink) {
        inbox.attach(sink)
    }

    package func read() {
        guard inbox.read(), let handler, !requestOver else { return }
        if continueOwed, case .awaited = answer { grantUpload() }
        handler.readMore()
    }

    private func grantUpload() {
        continueOwed = false
        handler?.sendContinue()
    }

    package func write(_ bytes: ByteBuffer) {
        guard bytes.readableBytes > 0, case .body(let owed) = answer else { return }
        if let owed {
            guard bytes.readableBytes <= owed else {
                abort()
                return
            }
            answer = .body(owed: owed - bytes.readableBytes)
        }
        handler?.sendBody(bytes)
    }

    package func flush() {
        handler?.flushNow()
    }

    package func finish(trailers: HTTPHeaders?) {
        switch answer {
        case .body(let owed?) where owed > 0:
            // Less came than was announced: the visitor must not take it for the whole.
            abort()
        case .body, .bodiless:
            answer = .ended
            handler?.sendEnd(trailers: ForwardedHeaders.trailers(trailers), of: self)
        case .awaited, .ended:
            break
        }
    }

    package func dismissInput() {
        abort()
    }

    package func abort() {
        guard let handler else { return }
        if case .ended = answer {
            handler.dropUpload(of: self)
        } else {
            answer = .ended
            handler.abort()
        }
    }

    // MARK: What the handler reports

    func received(_ bytes: ByteBuffer) {
        lastReceived = .now()
        inbox.received(bytes)
    }

    /// True when the request still wants bytes.
    func readCompleted() -> Bool {
        inbox.readCompleted()
    }

    func requestEnded(trailers: HTTPHeaders?) {
        guard !requestOver else { return }
        lastReceived = .now()
        requestOver = true
        continueOwed = false
        heldTrailers = ForwardedHeaders.trailers(trailers)
        if !upgradeOpen { inbox.finished(trailers: heldTrailers) }
    }

    func writabilityChanged() {
        inbox.writabilityChanged()
    }

    /// The last event of an exchange. Nil when both directions ended and nothing is left to deliver.
    func over(_ error: (any Error)?) {
        guard handler != nil else { return }
        handler = nil
        answer = .ended
        inbox.closed(error ?? (inbox.isHolding ? PipeError.aborted : nil))
    }
}

/// What is known of the connection that a request came by.
package struct VisitorConnection: Sendable {
    /// The visitor's address, without port.
    package let visitor: String
    /// The name asked for in TLS, in lower case.
    package let serverName: String?
    /// Our own address, without port.
    package let local: String
    package let isHTTP2: Bool
}
