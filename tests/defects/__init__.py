"Miniatures of faulty training code, each with the check that ours passes and it fails"
