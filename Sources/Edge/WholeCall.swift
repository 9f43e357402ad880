import Access
import ByteStream
import NIOCore
import NIOHTTP1
import ServiceHost

/// One request that this process answers itself: gathers its body, has it answered. Lives until it is answered.
// Safety: confined to the exchange's event loop.
final class WholeCall: BytePipeSink, @unchecked Sendable {
    /// The bounds of a call, and what is said to whoever does not keep them.
    struct Terms: Sendable {
        /// False: answered at once, whatever body may come.
        var takesBody: Bool
        var bodyBytes: Int
        /// Receiving the body, and separately answering it.
        var patience: TimeAmount
        var tooLarge: EdgePage
        var tooLate: EdgePage
        /// Whether the work is cancelled when the visitor leaves: where it waits for what can be taken only once. What else
        /// somebody asked for is done, though nobody waits to hear of it.
        var endsWithVisitor = false
    }

    typealias Answer = @Sendable (ByteBuffer) async -> AccessResponse

    private let exchange: VisitorExchange
    private let terms: Terms
    private let asides: Asides
    private let answer: Answer
    private let presence = VisitorPresence()
    private var body = ByteBuffer()
    private var timer: Scheduled<Void>?
    private var isComplete = false

    private init(_ exchange: VisitorExchange, _ terms: Terms, _ asides: Asides, _ answer: @escaping Answer) {
        self.exchange = exchange
        self.terms = terms
        self.asides = asides
        self.answer = answer
    }

    /// - Parameter answer: gives the answer to the whole body, off the event loop.
    static func begin(_ exchange: VisitorExchange, terms: Terms, asides: Asides, answer: @escaping Answer) {
        let call = WholeCall(exchange, terms, asides, answer)
        guard terms.takesBody, exchange.hasBody else {
            call.complete()
            // A body that nobody reads would never end.
            if !exchange.hasBody { exchange.attach(call) }
            return
        }
        call.timer = exchange.eventLoop.assumeIsolated().scheduleTask(in: terms.patience) {
            exchange.respond(with: terms.tooLate)
        }
        exchange.attach(call)
        exchange.read()
    }

    func pipeReceived(_ bytes: ByteBuffer) {
        guard body.readableBytes + bytes.readableBytes <= terms.bodyBytes else {
            timer?.cancel()
            exchange.respond(with: terms.tooLarge)
            return
        }
        body.writeImmutableBuffer(bytes)
    }

    func pipeReadCompleted() {
        exchange.read()
    }

    func pipeFinished(trailers: HTTPHeaders?) {
        timer?.cancel()
        complete()
    }

    private func complete() {
        guard !isComplete, !exchange.isAnswered else { return }
        isComplete = true
        let (exchange, terms, answer, body, presence) = (exchange, terms, answer, body, presence)
        let limit = Duration.nanoseconds(terms.patience.nanoseconds)
        let isTaken = asides.add {
            let response = await presence.during { await withDeadline(limit) { await answer(body) } }
            exchange.eventLoop.execute {
                guard let response else { return exchange.respond(with: terms.tooLate) }
                guard (200...599).contains(response.status),
                    var headers = ForwardedHeaders.response(response.headers, ray: exchange.ray, isOwn: true)
                else { return exchange.respond(with: .ownAnswerBroken()) }
                headers.replaceOrAdd(name: "content-length", value: String(response.body.readableBytes))
                exchange.respond(status: response.status, headers: headers, body: response.body)
            }
        }
        if !isTaken { exchange.respond(with: .overloaded()) }
    }

    func pipeWritabilityChanged() {}

    func pipeClosed(_ error: (any Error)?) {
        timer?.cancel()
        if terms.endsWithVisitor { presence.left() }
    }
}
