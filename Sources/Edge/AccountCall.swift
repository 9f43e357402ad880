import Access
package import NIOCore
package import NIOHTTP1
import ServiceHost

/// A request to the account API, whole.
package struct AccountRequest: Sendable {
    package let method: String
    /// With the query.
    package let path: String
    package let headers: HTTPHeaders
    package let body: ByteBuffer
    /// The caller's, without port.
    package let address: String
    package let ray: String
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

/// Requests to the account API.
enum AccountCall {
    static func begin(_ exchange: VisitorExchange, api: @escaping AccountAPI, asides: Asides, limits: EdgeLimits) {
        let request = exchange.request
        guard !request.isWebSocket else {
            exchange.respond(with: .refused(.init(status: 400, reason: "the account API has no WebSockets")))
            return
        }
        let (caller, ray) = (exchange.connection.visitor, exchange.ray)
        WholeCall.begin(
            exchange,
            terms: WholeCall.Terms(
                // Without a token nothing is gathered for a stranger; the API itself says what is missing.
                takesBody: request.headers.contains(name: "authorization"), bodyBytes: limits.accountBodyBytes,
                patience: limits.accountAnswer, tooLarge: .accountBody(limit: limits.accountBodyBytes),
                tooLate: .accountTimeout()),
            asides: asides
        ) { body in
            let answer = await api(
                AccountRequest(
                    method: request.method, path: request.path, headers: request.headers, body: body, address: caller,
                    ray: ray))
            return AccessResponse(status: answer.status, headers: answer.headers, body: answer.body)
        }
    }
}
