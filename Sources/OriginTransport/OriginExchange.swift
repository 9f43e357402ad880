package import ByteStream
package import NIOCore
package import NIOHTTP1

/// One request to an HTTP origin and its answer, as a pipe: what is written is the request's body, what is received the
/// response's. May be spliced from the start; it takes bytes once the connection stands.
///
/// Lives until both bodies ended or one failed. If the origin has answered in full before the request's body ended, the
/// rest of that body is not wanted: it is taken and dropped, and `answeredEarly` says so.
package final class OriginExchange: BytePipe {
    /// How an exchange was answered.
    package enum Answer {
        /// An ordinary response; its body comes through the exchange.
        case response(HTTPAnswer)
        /// The WebSocket was accepted; its bytes go through the pipe, the exchange is over.
        case upgraded(HTTPAnswer, ChannelPipe)
    }

    package let eventLoop: any EventLoop
    let isUpgrade: Bool

    /// Called when the origin answered in full before the request ended.
    package var answeredEarly: (() -> Void)?

    private let request: HTTPRequest
    private let head: HTTPRequestHead
    private let target: OriginTarget
    private let inbox = PipeInbox()
    private var connection: HTTPConnection?
    private var answered: ((Result<Answer, OriginError>) -> Void)?
    private var redial: ((OriginExchange) -> Void)?
    private var remaining: Int?
    private var requestEnd = RequestEnd.open
    private var responseBegan = false
    private var isOver = false

    private enum RequestEnd {
        case open
        /// Ended before the connection stood.
        case waiting(HTTPHeaders?)
        case sent
    }

    /// - Parameters:
    ///   - redial: asks for a fresh connection after a reused one broke.
    ///   - answered: called once, unless the exchange is aborted before.
    init(
        _ request: HTTPRequest, head: HTTPRequestHead, target: OriginTarget, on eventLoop: any EventLoop,
        redial: @escaping (OriginExchange) -> Void, answered: @escaping (Result<Answer, OriginError>) -> Void
    ) {
        self.request = request
        self.head = head
        self.target = target
        self.eventLoop = eventLoop
        self.redial = redial
        self.answered = answered
        isUpgrade = request.isUpgrade
        remaining = request.contentLength
        if !request.hasBody || request.isUpgrade { requestEnd = .waiting(nil) }
    }

    // MARK: Connection

    /// A connection for the request, or why there is none.
    func connected(_ result: Result<HTTPConnection, OriginError>) {
        switch result {
        case .success(let connection):
            guard !isOver else {
                connection.close()
                return
            }
            self.connection = connection
            connection.start(self, head: head)
            if case .waiting(let trailers) = requestEnd { sendEnd(trailers) }
            inbox.writabilityChanged()
        case .failure(let error):
            fail(error)
        }
    }

    func received(_ response: HTTPResponseHead) {
        guard !responseBegan else { return }
        responseBegan = true
        answer(.success(.response(HTTPAnswer(response))))
    }

    func received(_ bytes: ByteBuffer) {
        inbox.received(bytes)
    }

    func ended(_ trailers: HTTPHeaders?) {
        guard !isOver else { return }
        isOver = true
        let connection = self.connection
        self.connection = nil
        redial = nil
        if case .sent = requestEnd {
            connection?.release()
        } else {
            connection?.close()
            answeredEarly?()
        }
        answeredEarly = nil
        inbox.finished(trailers: trailers)
        inbox.closed(nil)
        // Whoever waits to write the rest of the request may do so: it is dropped.
        if case .open = requestEnd { inbox.writabilityChanged() }
    }

    /// Returns true when the connection must read again.
    func readCompleted() -> Bool {
        inbox.readCompleted() || !responseBegan
    }

    func writabilityChanged() {
        inbox.writabilityChanged()
    }

    func upgraded(_ response: HTTPResponseHead, _ pipe: ChannelPipe) {
        guard !isOver else {
            pipe.abort()
            return
        }
        connection = nil
        isOver = true
        responseBegan = true
        answer(.success(.upgraded(HTTPAnswer(response, upgraded: true), pipe)))
        inbox.closed(nil)
    }

    func connectionClosed(_ error: (any Error)?) {
        guard !isOver else { return }
        let wasReused = connection?.isReused ?? false
        connection = nil
        if !responseBegan, wasReused, request.isRepeatable, error as? OriginError == nil, let redial {
            // The origin closed an idle connection just as we used it: nothing was answered, so ask once more.
            self.redial = nil
            requestEnd = .waiting(nil)
            redial(self)
            return
        }
        fail(Self.describe(error, target, began: responseBegan))
    }

    private static func describe(_ error: (any Error)?, _ target: OriginTarget, began: Bool) -> OriginError {
        if let error = error as? OriginError { return error }
        if let error = error as? HTTPParserError, error != .invalidEOFState {
            return OriginError(
                .badResponse,
                error == .headerOverflow
                    ? "\(target.name) sent a response head over \(HTTPConnection.headLimit >> 10) KiB"
                    : "\(target.name) answered with something that is not HTTP/1.1; is it a web service, without TLS?",
                cause: error)
        }
        return OriginError(
            .closedEarly,
            began
                ? "\(target.name) closed the connection in the middle of its response"
                : "\(target.name) closed the connection without a response; does it expect https?", cause: error)
    }

    private func answer(_ result: Result<Answer, OriginError>) {
        let answered = self.answered
        self.answered = nil
        answered?(result)
    }

    private func fail(_ error: OriginError) {
        guard !isOver else { return }
        isOver = true
        answeredEarly = nil
        redial = nil
        let connection = self.connection
        self.connection = nil
        connection?.close()
        answer(.failure(error))
        inbox.closed(error)
    }

    private func sendEnd(_ trailers: HTTPHeaders?) {
        requestEnd = .sent
        // Trailers need chunks to follow.
        connection?.end(
            trailers: head.headers.contains(name: "transfer-encoding") ? HTTPRequest.trailers(trailers) : nil)
    }

    // MARK: BytePipe

    package var isWritable: Bool { isOver || connection?.isWritable ?? false }

    package func attach(_ sink: any BytePipeSink) {
        inbox.attach(sink)
    }

    package func read() {
        if inbox.read() { connection?.read() }
    }

    package func write(_ bytes: ByteBuffer) {
        guard case .open = requestEnd, !isOver, let connection else { return }
        if let left = remaining {
            guard bytes.readableBytes <= left else {
                // The surplus would be read as the next request on this connection.
                fail(OriginError(.requestInvalid, "the request's body is longer than its content-length"))
                return
            }
            remaining = left - bytes.readableBytes
        }
        connection.write(bytes)
    }

    package func flush() {
        connection?.flush()
    }

    package func finish(trailers: HTTPHeaders?) {
        guard case .open = requestEnd, !isOver else { return }
        if let remaining, remaining > 0 {
            fail(OriginError(.requestInvalid, "the request's body is shorter than its content-length"))
        } else if connection == nil {
            requestEnd = .waiting(trailers)
        } else {
            sendEnd(trailers)
        }
    }

    package func dismissInput() {
        // Whoever asked has left: the answer is of use to nobody.
        abort()
    }

    package func abort() {
        guard !isOver else {
            // The answer is here, but it may wait for a reader that has gone.
            inbox.closed(PipeError.aborted)
            return
        }
        answered = nil
        fail(OriginError(.cancelled, "the request was given up"))
    }
}
