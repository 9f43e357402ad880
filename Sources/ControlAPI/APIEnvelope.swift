/// The frame around every answer of the account API.
package struct APIEnvelope<Result: Sendable>: Sendable {
    package var success: Bool
    package var errors: [APIProblem]
    package var messages: [String]
    package var result: Result?
    package var page: APIPage?

    package init(
        success: Bool, errors: [APIProblem] = [], messages: [String] = [], result: Result?, page: APIPage? = nil
    ) {
        self.success = success
        self.errors = errors
        self.messages = messages
        self.result = result
        self.page = page
    }

    fileprivate enum CodingKeys: String, CodingKey {
        case success, errors, messages, result
        case page = "result_info"
    }
}

extension APIEnvelope: Decodable where Result: Decodable {
    package init(from decoder: any Decoder) throws {
        let container = try decoder.container(keyedBy: CodingKeys.self)
        success = container.lenient(Bool.self, .success) ?? false
        errors = container.lenient([APIProblem].self, .errors) ?? []
        messages = container.lenient([String].self, .messages) ?? []
        page = container.lenient(APIPage.self, .page)
        // A refusal may carry anything as its result; only a success must carry the right thing.
        if success {
            result = try container.decodeIfPresent(Result.self, forKey: .result)
        } else {
            result = nil
        }
    }
}

extension APIEnvelope: Encodable where Result: Encodable {
    package func encode(to encoder: any Encoder) throws {
        var container = encoder.container(keyedBy: CodingKeys.self)
        try container.encode(success, forKey: .success)
        try container.encode(errors, forKey: .errors)
        try container.encode(messages, forKey: .messages)
        if let result {
            try container.encode(result, forKey: .result)
        } else {
            try container.encodeNil(forKey: .result)
        }
        try container.encodeIfPresent(page, forKey: .page)
    }
}

/// One error of the account API.
package struct APIProblem: Codable, Sendable, Equatable, CustomStringConvertible {
    package var code: Int
    package var message: String

    package init(code: Int, message: String) {
        self.code = code
        self.message = message
    }

    private enum CodingKeys: String, CodingKey {
        case code, message
    }

    package init(from decoder: any Decoder) throws {
        let container = try decoder.container(keyedBy: CodingKeys.self)
        // Numbers come as text from some servers.
        code = container.lenient(Int.self, .code) ?? container.lenient(String.self, .code).flatMap { Int($0) } ?? 0
        message = container.lenient(String.self, .message) ?? ""
    }

    package var description: String { code == 0 ? message : "\(message) (code \(code))" }
}

/// Where in a list an answer stands.
package struct APIPage: Codable, Sendable, Equatable {
    package var count: Int
    package var page: Int
    package var perPage: Int
    package var totalCount: Int

    package init(count: Int, page: Int, perPage: Int, totalCount: Int) {
        self.count = count
        self.page = page
        self.perPage = perPage
        self.totalCount = totalCount
    }

    private enum CodingKeys: String, CodingKey {
        case count, page
        case perPage = "per_page"
        case totalCount = "total_count"
    }

    package init(from decoder: any Decoder) throws {
        let container = try decoder.container(keyedBy: CodingKeys.self)
        count = container.lenient(Int.self, .count) ?? 0
        page = container.lenient(Int.self, .page) ?? 0
        perPage = container.lenient(Int.self, .perPage) ?? 0
        totalCount = container.lenient(Int.self, .totalCount) ?? 0
    }
}

/// Stands where a result carries nothing of interest.
package struct APINothing: Codable, Sendable {
    package init() {}
    package init(from decoder: any Decoder) throws {}
    package func encode(to encoder: any Encoder) throws {
        // The official client ignores it; an empty object is the shortest thing that is no null.
        _ = encoder.container(keyedBy: NoKeys.self)
    }

    private enum NoKeys: CodingKey {}
}
