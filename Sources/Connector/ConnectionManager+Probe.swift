extension ConnectionManager {
    /// Returns once this actor has had its turn: a question that only a running actor answers.
    func answerProbe() {}
}
