/// Why a question to the name service has no answer.
package struct NameError: Error, Sendable, CustomStringConvertible {
    package enum Code: Sendable {
        /// The name service knows that there is no such name, or no such record.
        case notFound
        /// No name server answered in time, or none can be reached.
        case unreachable
        /// A name server answered that it cannot answer.
        case refused
        /// What came is no answer to the question.
        case badAnswer
        /// The name cannot be asked for.
        case badName
    }

    package var code: Code
    package var message: String

    package init(_ code: Code, _ message: String) {
        self.code = code
        self.message = message
    }

    static func late(_ name: String) -> NameError {
        NameError(.unreachable, "no name server answered for \(name) in time")
    }

    package var description: String { message }
}
