import ByteStream
package import NIOCore
package import NIOHTTP1

/// A request to the account API, whole.
package struct AccountRequest: Sendable {
    package let method: String
    /// With the query.
    package let path: String
    package let headers: HTTPHeaders
    package let body: ByteBuffer
}

/// Its answer, whole.
package struct AccountResponse: Sendable {
    package let status: Int
    package let headers: HTTPHeaders
    package let body: ByteBuffer

    package init(status: Int, headers: HTTPHeaders, body: ByteBuffer) {
        self.status = status
        self.headers = headers
        self.body = body
    }
}

/// Whoever answers the account API.
package typealias AccountAPI = @Sendable (AccountRequest) async -> AccountResponse

/// One request to the account API: gathers its body, has it answered. Lives until it is answered or the visitor leaves.
// Safety: confined to the exchange's event loop.
final class AccountCall: BytePipeSink, @unchecked Sendable {
    private let exchange: VisitorExchange
    private let api: AccountAPI
    private let asides: Asides
    private let limits: EdgeLimits
    private var body = ByteBuffer()
    private var timer: Scheduled<Void>?
    private var isComplete = false

    private init(_ exchange: VisitorExchange, api: @escaping AccountAPI, asides: Asides, limits: EdgeLimits) {
        self.exchange = exchange
        self.api = api
        self.asides = asides
        self.limits = limits
    }

    static func begin(_ exchange: VisitorExchange, api: @escaping AccountAPI, asides: Asides, limits: EdgeLimits) {
        let call = AccountCall(exchange, api: api, asides: asides, limits: limits)
        guard !exchange.request.isWebSocket else {
            exchange.respond(with: .refused(.init(status: 400, reason: "the account API has no WebSockets")))
            return
        }
        // Without a token nothing is gathered for a stranger; the API itself says what is missing.
        guard exchange.request.headers.contains(name: "authorization") else {
            call.answer()
            return
        }
        call.timer = exchange.eventLoop.assumeIsolated().scheduleTask(in: limits.accountAnswer) {
            exchange.respond(with: .accountTimeout())
        }
        exchange.attach(call)
        exchange.read()
    }

    func pipeReceived(_ bytes: ByteBuffer) {
        guard body.readableBytes + bytes.readableBytes <= limits.accountBodyBytes else {
            timer?.cancel()
            exchange.respond(with: .accountBody(limit: limits.accountBodyBytes))
            return
        }
        body.writeImmutableBuffer(bytes)
    }

    func pipeReadCompleted() {
        exchange.read()
    }

    func pipeFinished(trailers: HTTPHeaders?) {
        timer?.cancel()
        answer()
    }

    private func answer() {
        guard !isComplete, !exchange.isAnswered else { return }
        isComplete = true
        let request = AccountRequest(
            method: exchange.request.method, path: exchange.request.path, headers: exchange.request.headers, body: body)
        let (exchange, api) = (exchange, api)
        let limit = Duration.nanoseconds(limits.accountAnswer.nanoseconds)
        let isTaken = asides.add {
            let response = await withDeadline(limit) { await api(request) }
            exchange.eventLoop.execute {
                guard let response else { return exchange.respond(with: .accountTimeout()) }
                let headers = ForwardedHeaders.response(response.headers, ray: exchange.ray) ?? [:]
                exchange.respond(status: response.status, headers: headers, body: response.body)
            }
        }
        if !isTaken { exchange.respond(with: .overloaded()) }
    }

    func pipeWritabilityChanged() {}

    func pipeClosed(_ error: (any Error)?) {
        timer?.cancel()
    }
}
