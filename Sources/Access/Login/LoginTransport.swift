package import NIOHTTP1

/// One question to a server on the way to a token.
package struct WebRequest: Sendable {
    package var method: HTTPMethod
    /// Always https.
    package var url: WebURL
    package var headers: HTTPHeaders
    package var body: [UInt8]
    /// From the first packet to the last byte of the answer.
    package var timeout: Duration
    /// A longer body is an error.
    package var longestBody: Int

    package init(
        _ method: HTTPMethod, _ url: WebURL, headers: HTTPHeaders = [:], body: [UInt8] = [], timeout: Duration,
        longestBody: Int = 1 << 20
    ) {
        self.method = method
        self.url = url
        self.headers = headers
        self.body = body
        self.timeout = timeout
        self.longestBody = longestBody
    }
}

/// Its answer, whole.
package struct WebAnswer: Sendable {
    package var status: Int
    package var headers: HTTPHeaders
    package var body: [UInt8]

    package init(status: Int, headers: HTTPHeaders = [:], body: [UInt8] = []) {
        self.status = status
        self.headers = headers
        self.body = body
    }
}

/// Carries questions over TLS with a checked certificate. Follows no redirect and keeps no cookie: what goes where is
/// decided here.
package protocol LoginTransport: Sendable {
    /// - Throws: an error whose text names the hop; `CancellationError` when cancelled.
    func send(_ request: WebRequest) async throws -> WebAnswer
}

/// Brings the page of a login before a person.
package protocol LoginPresenter: Sendable {
    /// Returns soon; the person takes their time.
    func present(_ page: LoginPage) async

    /// Another process on this machine already waits for the same login.
    func otherProcessWaits(pid: Int32, url: String?)

    /// The store has nothing yet.
    func stillWaiting()
}

/// What a person is to open, and what comes of it.
package struct LoginPage: Sendable, Equatable {
    package enum Yield: String, Sendable {
        case token
        case certificate = "cert"
    }

    package var url: String
    package var yield: Yield
}
